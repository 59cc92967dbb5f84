// Deciding on the open entry and on the marked ones: what each action asks before, and where it goes after.

import { showAlike } from "./alike.js";
import { get } from "./api.js";
import { recall, remember } from "./memory.js";
import { askReason } from "./reasons.js";
import { oneLine } from "./texts.js";
import { acceptedVersions, showVersions } from "./versions.js";

export class Deciding {
  /** `review` is the view: its sample, its list (`browse`), its `decisions`, drafts and marks. */
  constructor(review) {
    this.review = review;
    this.context = review.context;
    this.goOn = recall("go-on", true);
  }

  get sample() {
    return this.review.sample;
  }

  /** The open entry; none while another one is on its way, for nobody decides on what they do not see. */
  get item() {
    const { item, number } = this.sample;
    return this.review.isOpening || item?.number !== number ? null : item;
  }

  /** Decides on the open entry; when it is saved and that is wished for, goes on to the next. */
  async decide(body, { stay = false } = {}) {
    const { item } = this;
    if (!item || this.sample.isBusy) return;
    const { active } = this.review.browse;
    this.setBusy(true);
    const outcome = await this.review.decisions.decide(item, body);
    this.setBusy(false);
    // Without a server there is nothing to go on to.
    if (outcome === "saved" && !stay && this.goOn && this.review.browse.active === active) this.goOnFrom(active);
  }

  goOnFrom(index) {
    if (index < 0 || this.review.browse.step(1, "decision")) return;
    this.context.toast("That was the last entry of this list.", { kind: "good" });
  }

  async reject() {
    const { item } = this;
    if (!item) return;
    const what = oneLine(item.sample?.turns.find((turn) => turn.role === "user")?.text ?? "").slice(0, 160);
    const reason = await this.reason({ what });
    if (reason !== null && this.sample.item?.number === item.number) await this.decide({ do: "reject", reason });
  }

  reason(options = {}) {
    return askReason({ reasons: this.context.session.reasons ?? [], ...options });
  }

  /** Saves the edit, which accepts. Until the server (or this browser) has it, it stays a draft. */
  async save() {
    const { sample, review } = this;
    if (!sample.editing || sample.isBusy) return;
    const { item } = sample;
    const { turns, category } = sample.editing;
    const { active } = review.browse;
    this.setBusy(true);
    const changed = category === (item.category ?? "") ? null : category;
    const outcome = await review.decisions.decide(item, { do: "edit", turns, category: changed });
    this.setBusy(false);
    if (outcome === "refused") return;
    review.drafts.remove(item.identity);
    if (sample.item?.identity === item.identity) sample.stopEditing();
    review.browse.list.redraw();
    if (outcome === "saved" && this.goOn && review.browse.active === active) this.goOnFrom(active);
  }

  async cancelEdit() {
    const { sample } = this;
    if (!sample.editing) return;
    const ask = {
      title: "Discard your edit?",
      text: "What you wrote here is not saved yet.",
      yes: "Discard",
      no: "Keep writing",
      danger: true,
    };
    if (sample.isChanged() && !(await this.context.confirm(ask))) return;
    sample.stopEditing();
    this.review.browse.list.redraw();
  }

  /** Settles a dispute for all; where there are several texts to choose from, they are shown side by side. */
  async settle(verb) {
    const { item } = this.sample;
    if (verb === "compare" || (verb === "settle-accept" && acceptedVersions(item) > 1)) {
      const chosen = await showVersions(item);
      if (chosen !== null && item.number === this.sample.item?.number) await this.decide(chosen);
      return;
    }
    const reason = verb === "settle-reject" ? await this.reason({ title: "Settle: reject" }) : "";
    if (reason !== null && item === this.sample.item) await this.decide({ do: verb, reason });
  }

  step(which) {
    if (this.item) this.review.decisions.step(this.item, which);
  }

  reset() {
    return this.decide({ do: "reset" }, { stay: true });
  }

  async marked(verb) {
    const { selection, browse, decisions } = this.review;
    const size = selection.size(browse.count);
    if (size === 0) return;
    const which = selection.all ? { view: browse.rows.view } : { numbers: [...selection.numbers] };
    if (!(await decisions.many(which, size, verb))) return;
    selection.clear();
    browse.list.focus();
  }

  /** Takes back what I did last, and goes there when it was one entry. */
  async undoLast() {
    const numbers = await this.review.decisions.undoLast();
    if (numbers.length === 1 && numbers[0] !== this.sample.number) this.review.openNumber(numbers[0]);
  }

  async alike() {
    const { item } = this;
    const { details } = this.sample;
    if (!item || !details.groups?.length) return void this.context.announce("No other entry is like this one.");
    const answer = await showAlike({
      item,
      groups: details.groups,
      reviewer: this.context.reviewer(),
      decide: (other, verb) => this.decideThere(other, verb),
    });
    if (answer?.open !== undefined) this.review.openNumber(answer.open);
  }

  /** Decides on an entry beside the open one; the entry as it is then. */
  async decideThere(other, verb) {
    const outcome = await this.review.decisions.decide(other, {
      do: verb,
      reason: verb === "reject" ? "duplicate" : "",
    });
    return outcome === "saved" ? get(`/api/items/${other.number}`).catch(() => null) : null;
  }

  setBusy(isBusy) {
    this.sample.isBusy = isBusy;
    this.sample.drawActions();
  }

  setGoOn(goOn) {
    this.goOn = this.sample.goOn = goOn;
    remember("go-on", goOn);
    this.sample.drawActions();
    this.context.announce(goOn ? "Goes on after a decision" : "Stays after a decision");
  }
}
