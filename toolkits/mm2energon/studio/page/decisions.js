// Deciding: what is sent to the server for one entry or for many, and what happens when it cannot be.

import { post } from "./api.js";
import { askReason } from "./reasons.js";

const SAID = {
  accept: "Accepted",
  reject: "Rejected",
  edit: "Saved and accepted",
  reset: "Reset",
  "settle-accept": "Settled",
  "settle-reject": "Settled",
};
/** What an entry shows while its decision waits to be sent. */
export const STATUS_AFTER = {
  accept: "accepted",
  edit: "accepted",
  reject: "rejected",
  reset: "pending",
  "settle-accept": "accepted",
  "settle-reject": "rejected",
};

export class Decisions {
  /** `onItem(item)`: an entry as it is now; `onWaits(item, body)`: it is kept here; `onMany()`; `context` of the view. */
  constructor({ context, outbox, onItem, onWaits, onMany }) {
    Object.assign(this, { context, outbox, onItem, onWaits, onMany });
    // Entries as they were before a decision that waits.
    this.before = new Map();
  }

  /** Decides on an item: "saved", "kept" in this browser to be sent later, or "refused". */
  async decide(item, body) {
    const whole = { reason: "", reviewer: this.context.reviewer(), ...body };
    const decision = { number: item.number, identity: item.identity, body: whole };
    // What waits goes first: decisions arrive in the order in which they were made.
    if (this.outbox.waiting.length) return this.keep(item, decision);
    try {
      const now = await post(`/api/items/${item.number}/decision`, whole);
      this.context.announce(`${SAID[body.do] ?? "Done"}: ${item.origin}`);
      this.onItem(now);
      return "saved";
    } catch (error) {
      if (error.isOffline || error.status === 401) return this.keep(item, decision);
      this.context.toast(`Not saved: ${error.message}`, { kind: "bad" });
      return "refused";
    }
  }

  keep(item, decision) {
    if (!this.outbox.has(item.identity)) this.before.set(item.identity, item);
    this.outbox.add(decision);
    this.context.announce("Kept in this browser, and sent when the server answers again.");
    this.onWaits(item, decision.body);
    this.outbox.flush();
    return "kept";
  }

  /** Takes back (or does again) on one item; what was not sent yet is just dropped. */
  async step(item, which) {
    if (which === "undo" && this.outbox.takeBack(item.identity))
      return void this.onItem(this.before.get(item.identity) ?? item);
    try {
      const now = await post(`/api/items/${item.number}/${which}`, { reviewer: this.context.reviewer() });
      this.context.announce(`${which === "undo" ? "Taken back" : "Done again"}: ${item.origin}`);
      this.onItem(now);
    } catch (error) {
      this.context.toast(error.message, { kind: "bad" });
    }
  }

  /** Takes back what this reviewer did last, wherever it was; the numbers of the entries. */
  async undoLast() {
    try {
      const { numbers = [] } = (await post("/api/undo", { reviewer: this.context.reviewer() })) ?? {};
      const said =
        numbers.length === 1
          ? `Taken back: entry ${numbers[0]}`
          : `Taken back: ${numbers.length.toLocaleString("en")} entries`;
      this.context.toast(numbers.length ? said : "There is nothing to take back.", { kind: "note" });
      this.onMany(numbers);
      return numbers;
    } catch (error) {
      this.context.toast(error.message, { kind: "bad" });
      return [];
    }
  }

  /** Decides on many: `which` is {numbers} or {view}, `size` how many these are. True when it is saved. */
  async many(which, size, verb) {
    const amount = `${size.toLocaleString("en")} ${size === 1 ? "entry" : "entries"}`;
    const title = { accept: `Accept ${amount}?`, reject: `Reject ${amount}`, reset: `Reset ${amount}?` }[verb];
    let reason = "";
    if (verb === "reject") {
      reason = await askReason({ reasons: this.context.session.reasons ?? [], title });
      if (reason === null) return false;
    } else if (!(await this.sure(title, verb, size))) return false;
    return this.sendMany({ ...which, do: verb, reason, reviewer: this.context.reviewer() }, verb);
  }

  async sendMany(body, verb) {
    try {
      const { changed } = await post("/api/decisions", body);
      const text = `${SAID[verb]}: ${changed.toLocaleString("en")} ${changed === 1 ? "entry" : "entries"}`;
      this.context.toast(text, { kind: "good", action: { title: "Undo", run: () => this.undoLast() } });
      this.onMany(body.numbers ?? null);
      return true;
    } catch (error) {
      this.context.toast(`Not saved: ${error.message}`, { kind: "bad" });
      return false;
    }
  }

  sure(title, verb, size) {
    if (size < 2) return true;
    const text =
      verb === "reset"
        ? "Their decisions, reasons and edits are taken back. It can be undone."
        : "It is one step, and can be undone as one.";
    return this.context.confirm({ title, text, yes: verb === "reset" ? "Reset" : "Accept", danger: verb === "reset" });
  }
}
