// The list's side of the review: what is asked for, the rows that answer it, and going from one to the next.

import { post } from "./api.js";
import { count, el, replace } from "./dom.js";
import { emptyState } from "./empty.js";
import { isNarrowed, noFilter } from "./filter.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { Rows } from "./rows.js";

const NEW_VIEW_AFTER_MS = 2500;
const COUNT_AFTER_MS = 600;
const MOST_SEARCHED = 5000;

export class Browse {
  /**
   * `onAsk(filter)` before something else is asked for, `onPick(row, {from})` when an entry is chosen,
   * `onView()` when another list is shown, `onEnter()`; `selection`, `narrow`, `marksOf` as the list takes them.
   */
  constructor({ context, filter, selection, narrow, marksOf, onAsk, onPick, onView, onEnter, foot }) {
    Object.assign(this, { context, filter, selection, onAsk, onPick, onView });
    this.rows = null;
    // While an entry is picked, and not yet handed on.
    this.picking = null;
    this.filters = new Filters({ context, filter, onChange: (changed) => this.ask(changed) });
    this.list = new List({
      selection,
      narrow,
      marksOf,
      onEnter,
      onOpen: (index, { from }) => this.pick(index, from),
      onProblem: (text) => context.toast(text, { kind: "bad" }),
      signal: context.signal,
    });
    this.tally = el("div.tally", { role: "status" }, "Loading …");
    this.fault = el("p.message.doubt.list-fault", { role: "status", dir: "auto", hidden: true });
    this.nothing = el("div.list-nothing", { hidden: true });
    this.node = el(
      "section.list-pane",
      { "aria-label": "Entries" },
      this.filters.node,
      this.tally,
      this.fault,
      this.list.node,
      this.nothing,
      foot,
    );
  }

  get count() {
    return this.rows?.count ?? 0;
  }

  get active() {
    return this.list.active;
  }

  /** The place of the open entry for people: "3 of 2,000". */
  get place() {
    return this.active >= 0 && this.count
      ? `${(this.active + 1).toLocaleString("en")} of ${this.count.toLocaleString("en")}`
      : "";
  }

  /** Shows the entries of a filter; the place of `number` among them, or -1; null when it was asked anew since. */
  async ask(filter, number = undefined) {
    this.filter = filter;
    this.filters.set(filter);
    this.selection.clear();
    this.onAsk(filter);
    const rows = await this.newRows();
    if (!rows) return null;
    const at = number === undefined ? -1 : await this.find(number);
    if (this.rows !== rows) return null;
    this.list.show(rows, at);
    if (at >= 0) this.list.setActive(at, { centre: true });
    else this.list.scroller.moveTo(0);
    this.onView(at);
    return at;
  }

  /** The same filter again, while the place in the list stays. */
  async refresh() {
    const open = this.rows?.at(this.active);
    const rows = await this.newRows();
    if (!rows) return;
    const same = open && (await rows.ensure(this.active).catch(() => null))?.number === open.number;
    const at = same ? this.active : open ? await this.find(open.number) : -1;
    if (this.rows !== rows) return;
    this.list.show(rows, at);
    this.onView(at);
  }

  /** Asks again when there are new entries, though not all the time while they are indexed. */
  grown() {
    const isDue = Date.now() - (this.askedAt ?? 0) > NEW_VIEW_AFTER_MS;
    if (this.rows && isDue) this.refresh();
    return isDue;
  }

  find(number) {
    return this.rows.find(number, { ordered: this.filter.sort === "number" }).catch(() => -1);
  }

  /** Rows of a new view; null when they could not be had (which is said), or others were asked for since. */
  async newRows() {
    const asked = (this.asked = {});
    try {
      const view = await post("/api/views", this.filter, { signal: this.context.signal });
      if (asked !== this.asked) return null;
      const onProblem = (error) => this.rowsProblem(error);
      this.rows = new Rows({
        view: view.id,
        count: view.count,
        signal: this.context.signal,
        onRows: () => this.list.redraw(),
        onProblem,
      });
      this.askedAt = Date.now();
      this.counts = view.counts;
      this.filters.setCounts(view.counts);
      this.drawTally();
      return this.rows;
    } catch (error) {
      if (error.name !== "AbortError" && asked === this.asked) this.showProblem(error);
      return null;
    }
  }

  /** A view that the server has forgotten (it keeps the last ones) is asked for again. */
  rowsProblem(error) {
    if (error.code === "view-forgotten" || error.status === 404) this.grown();
    else if (!error.isOffline) this.context.toast(error.message, { kind: "bad" });
  }

  /** The counts of the filters some time after decisions; the list stays as it is. */
  countAgain() {
    clearTimeout(this.counting);
    this.counting = setTimeout(async () => {
      const asked = this.filter;
      const found = await post("/api/views", asked, { signal: this.context.signal }).catch(() => null);
      if (found && asked === this.filter) this.filters.setCounts(found.counts);
    }, COUNT_AFTER_MS);
  }

  /** Goes to the row at a place. */
  async pick(index, from = "key") {
    this.list.setActive(index);
    const mine = (this.picking = {});
    const row = await this.rows.ensure(index).catch(() => null);
    if (mine === this.picking) this.picking = null;
    if (row && this.active === index) this.onPick(row, { from });
  }

  /** Goes on, or back; false at the ends. */
  step(by, from = "key") {
    const to = this.active < 0 ? (by > 0 ? 0 : this.count - 1) : this.active + by;
    if (to < 0 || to >= this.count) return false;
    this.pick(to, from);
    return true;
  }

  /** Goes to the next entry that is still to be decided, and not by others alone. */
  async nextPending() {
    const last = Math.min(this.count, this.active + 1 + MOST_SEARCHED);
    for (let index = this.active + 1; index < last; index += 1) {
      const row = await this.rows.ensure(index).catch(() => null);
      if (!row) return;
      if (row.status === "pending" && !(this.context.reviewer() in (row.by_reviewer ?? {}))) return void this.pick(index);
    }
    this.context.toast(
      last < this.count ? 'None near by: choose the status "pending" above.' : "No pending entry below this one.",
    );
  }

  showProblem(error) {
    replace(this.tally, "");
    const again = el("button.primary", { type: "button", onclick: () => this.ask(this.filter) }, "Try again");
    // What an address asks for may be nonsense; the filters show nothing of it that could be taken out.
    const clear = el("button", { type: "button", onclick: () => this.ask(noFilter()) }, "Clear all filters");
    const actions = error.isOffline ? [again] : [again, clear];
    this.showNothing(
      emptyState({ icon: "warning", title: "The list could not be loaded", text: error.message, actions }),
    );
    this.onView(-1);
  }

  drawTally() {
    const all = this.context.session.dataset.count ?? this.count;
    const entries = (number) => count(number, "entry", "entries");
    replace(
      this.tally,
      isNarrowed(this.filter) ? `${this.count.toLocaleString("en")} of ${entries(all)}` : entries(this.count),
    );
    this.showNothing(this.count === 0 ? this.whyNothing() : null);
    this.drawFault();
  }

  /** What is wrong with the data, the index or the journal, beside the entries that are there all the same. */
  drawFault() {
    const { problem } = this.context.session.dataset;
    this.fault.hidden = !problem || this.count === 0;
    if (this.fault.textContent !== (problem ?? "")) this.fault.textContent = problem ?? "";
  }

  showNothing(state) {
    replace(this.nothing, state);
    this.nothing.hidden = state === null;
    this.list.node.hidden = state !== null;
  }

  whyNothing() {
    const { dataset } = this.context.session;
    if (isNarrowed(this.filter)) {
      const clear = el("button", { type: "button", onclick: () => this.filters.clear() }, "Clear all filters");
      return emptyState({
        icon: "search",
        title: "Nothing matches",
        text: "No entry has all that is asked for.",
        actions: [clear],
      });
    }
    if (dataset.problem)
      return emptyState({ icon: "warning", title: "Nothing to show", text: dataset.problem });
    if (!dataset.indexed)
      return emptyState({ icon: "clock", title: "Reading the data", text: "The first entries appear in a moment." });
    return emptyState({ icon: "file", title: "No entries", text: `${dataset.name} has none.` });
  }
}
