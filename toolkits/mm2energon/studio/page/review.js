// The review view: the list with its filters on one side, the open sample on the other, and what happens between them.

import { showAlike } from "./alike.js";
import { get, post } from "./api.js";
import { BulkBar } from "./bulk.js";
import { Decisions, STATUS_AFTER } from "./decisions.js";
import { count, el, replace } from "./dom.js";
import { Drafts } from "./drafts.js";
import { emptyState } from "./empty.js";
import { isNarrowed, readFilter, writeFilter } from "./filter.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { recall, remember } from "./memory.js";
import { Outbox } from "./outbox.js";
import { askReason } from "./reasons.js";
import { registerKeys } from "./review_keys.js";
import { Rows } from "./rows.js";
import { Sample } from "./sample.js";
import { Selection } from "./selection.js";

const OPEN_AFTER_MS = 70;
const NEW_VIEW_AFTER_MS = 2500;
const PAGES_SEARCHED = 50;

export function mount(root, context) {
  return new Review(root, context);
}

class Review {
  constructor(root, context) {
    this.context = context;
    const { journal, path } = context.session.dataset;
    this.narrow = window.matchMedia("(max-width: 760px)");
    this.filter = readFilter(context.route().params);
    this.rows = null;
    this.goOn = recall("go-on", true);
    this.drafts = new Drafts(journal ?? path);
    this.selection = new Selection(() => this.drawMarks());
    this.outbox = this.makeOutbox(journal ?? path);
    this.decisions = new Decisions({
      context,
      outbox: this.outbox,
      onItem: (item) => this.tookItem(item),
      onWaits: (item, verb) => this.waits(item, verb),
      onMany: (numbers) => this.tookMany(numbers),
    });
    this.build(root);
    registerKeys(this);
    context.onRoute((route) => this.routed(route));
    context.onChanges((changes) => this.changed(changes));
    context.onReviewer(() => this.sample.refresh());
    this.outbox.flush();
    this.start();
  }

  build(root) {
    const { context } = this;
    this.filters = new Filters({ context, filter: this.filter, onChange: (filter) => this.ask(filter) });
    this.list = new List({
      selection: this.selection,
      narrow: this.narrow,
      onOpen: (index, options) => this.open(index, options),
      onEnter: () => this.enter(),
      onProblem: (text) => context.toast(text, { kind: "bad" }),
      marksOf: (row) => ({ isDraft: this.drafts.has(row.identity), waits: this.outbox.has(row.identity) }),
      signal: context.signal,
    });
    this.bulk = new BulkBar({
      size: () => this.selection.size(this.rows?.count ?? 0),
      total: () => this.rows?.count ?? 0,
      run: (verb) => this.decideMarked(verb),
      onAll: () => this.selection.selectAll(),
      onClear: () => (this.selection.clear(), this.list.focus()),
    });
    this.tally = el("div.tally", { role: "status" });
    this.nothing = el("div.list-nothing", { hidden: true });
    this.sample = new Sample({
      context,
      drafts: this.drafts,
      run: this.actions(),
      onSettle: (verb) => this.settle(verb),
      onAlike: () => this.showAlike(),
      onBack: () => this.back(),
      onStep: (by) => this.step(by),
    });
    const pane = el("section.list-pane", { "aria-label": "Entries" }, this.filters.node, this.tally, this.list.node, this.nothing, this.bulk.node);
    this.pane = el("div.review", {}, pane, this.sample.node);
    root.append(this.pane);
  }

  actions() {
    return {
      accept: () => this.decide({ do: "accept" }),
      reject: () => this.reject(),
      edit: () => this.sample.edit(),
      save: () => this.save(),
      cancel: () => this.cancelEdit(),
      undo: () => this.sample.item && this.decisions.step(this.sample.item, "undo"),
      redo: () => this.sample.item && this.decisions.step(this.sample.item, "redo"),
      reset: () => this.decide({ do: "reset" }, { stay: true }),
      setGoOn: (goOn) => this.setGoOn(goOn),
    };
  }

  makeOutbox(journal) {
    return new Outbox({
      journal,
      signal: this.context.signal,
      onSent: (item) => this.tookItem(item, { isSent: true }),
      onRefused: ({ number }, error) => this.context.toast(`The decision on entry ${number} was not saved: ${error.message}`, { kind: "bad" }),
      onChange: () => this.list?.redraw(),
    });
  }

  // What is asked for -------------------------------------------------------------------------------------------------

  async start() {
    this.setScreen();
    await this.ask(this.filter, { number: numberIn(this.context.route()), isFirst: true });
  }

  /** Asks the server for the entries of a filter and shows them; the open entry stays open where it is among them. */
  async ask(filter, { number = this.sample?.number, isFirst = false } = {}) {
    this.filter = filter;
    this.selection.clear();
    this.writeAddress(isFirst || !this.narrow.matches ? number : undefined);
    const rows = await this.newRows(filter);
    if (!rows) return;
    const at = number === undefined ? -1 : await rows.find(number, { ordered: filter.sort === "number" }).catch(() => -1);
    if (this.rows !== rows) return;
    this.list.show(rows, at);
    if (at >= 0) this.list.setActive(at, { centre: true });
    else this.list.scroller.moveTo(0);
    if (isFirst && number !== undefined) this.openNumber(number, at);
    else if (at < 0 && rows.count > 0 && !this.narrow.matches) this.open(0, { from: "view", keepEdit: true });
    else this.drawPlace();
  }

  /** Rows of a new view, or null when they could not be had (which is said) or were asked for anew since. */
  async newRows(filter) {
    const asked = (this.asked = {});
    this.tally.classList.add("coming");
    if (!this.rows) replace(this.tally, "Loading …");
    const { sort, ...wanted } = filter;
    try {
      const view = await post("/api/views", { ...wanted, sort }, { signal: this.context.signal });
      if (asked !== this.asked) return null;
      this.rows = this.rowsOf(view);
      this.askedAt = Date.now();
      this.sample.categories = { ...this.sample.categories, ...view.counts?.category };
      this.filters.setCounts(view.counts);
      this.drawTally(view);
      return this.rows;
    } catch (error) {
      if (error.name === "AbortError" || asked !== this.asked) return null;
      this.showProblem(error);
      return null;
    }
  }

  rowsOf(view) {
    return new Rows({
      view: view.id,
      count: view.count,
      signal: this.context.signal,
      onRows: () => this.list.redraw(),
      onProblem: (error) => this.rowsProblem(error),
    });
  }

  /** A view that the server has forgotten (it keeps the last ones) is asked for again. */
  rowsProblem(error) {
    if (error.isOffline || Date.now() - this.askedAt < NEW_VIEW_AFTER_MS) return;
    this.refreshView();
  }

  /** The same filter again, while the place in the list stays. */
  async refreshView() {
    const before = this.rows;
    const rows = await this.newRows(this.filter);
    if (!rows || this.rows !== rows) return;
    const { active } = this.list;
    const open = before?.at(active);
    const same = open && (await rows.ensure(active).catch(() => null))?.number === open.number;
    const at = same ? active : open ? await rows.find(open.number, { ordered: this.filter.sort === "number" }).catch(() => -1) : -1;
    this.list.show(rows, at);
    if (at < 0 && !this.sample.item && rows.count && !this.narrow.matches) this.open(0, { from: "view" });
    this.drawPlace();
  }

  showProblem(error) {
    this.tally.classList.remove("coming");
    const again = el("button.primary", { type: "button", onclick: () => this.ask(this.filter) }, "Try again");
    replace(this.nothing, emptyState({ icon: "warning", title: "The list could not be loaded", text: error.message, actions: [again] }));
    this.nothing.hidden = false;
    this.list.node.hidden = true;
  }

  drawTally({ count: shown }) {
    const { dataset } = this.context.session;
    this.tally.classList.remove("coming");
    const all = dataset.count ?? shown;
    replace(this.tally, isNarrowed(this.filter) ? `${shown.toLocaleString("en")} of ${count(all, "entry", "entries")}` : count(shown, "entry", "entries"));
    this.nothing.hidden = shown > 0;
    this.list.node.hidden = shown === 0;
    if (shown === 0) replace(this.nothing, this.nothingState());
    this.bulk.draw();
  }

  nothingState() {
    const { dataset } = this.context.session;
    if (isNarrowed(this.filter)) {
      const clear = el("button", { type: "button", onclick: () => this.filters.clear() }, "Clear all filters");
      return emptyState({ icon: "search", title: "Nothing matches", text: "No entry has all that is asked for.", actions: [clear] });
    }
    if (dataset.problem) return emptyState({ icon: "warning", title: "The data could not be read", text: dataset.problem });
    if (!dataset.indexed) return emptyState({ icon: "clock", title: "Reading the data", text: "The first entries appear in a moment." });
    return emptyState({ icon: "file", title: "No entries", text: `${dataset.name} has none.` });
  }

  // The open entry ----------------------------------------------------------------------------------------------------

  /** Opens the entry at a place of the list; fast steps open the last one alone. */
  async open(index, { from = "click", keepEdit = false } = {}) {
    this.list.setActive(index);
    this.drawPlace();
    clearTimeout(this.opening);
    const row = await this.rows.ensure(index).catch(() => null);
    if (!row || this.list.active !== index) return;
    if (keepEdit && this.sample.editing) return;
    const go = () => {
      this.writeAddress(row.number, { push: this.narrow.matches && from === "click" });
      this.sample.open(row.number).then(() => this.drawPlace());
      this.setScreen();
    };
    if (from === "key") this.opening = setTimeout(go, OPEN_AFTER_MS);
    else go();
  }

  /** Opens an entry by its number, in the list or not. */
  async openNumber(number, at = null) {
    const index = at ?? (await this.rows.find(number, { ordered: this.filter.sort === "number" }).catch(() => -1));
    this.list.setActive(index, { centre: true });
    this.writeAddress(number);
    this.setScreen();
    await this.sample.open(number);
    this.drawPlace();
  }

  step(by) {
    if (!this.rows?.count) return;
    const from = this.list.active < 0 ? (by > 0 ? -1 : 1) : this.list.active;
    const to = from + by;
    if (to < 0 || to >= this.rows.count) return void this.context.announce(by > 0 ? "The last entry" : "The first entry");
    this.open(to, { from: "key" });
  }

  /** The next entry of the list that nobody has decided on. */
  async nextPending() {
    const last = Math.min(this.rows.count, this.list.active + 1 + PAGES_SEARCHED * 100);
    for (let index = this.list.active + 1; index < last; index += 1) {
      const row = await this.rows.ensure(index).catch(() => null);
      if (!row) return;
      if (row.status === "pending") return void this.open(index, { from: "key" });
    }
    this.context.toast(last < this.rows.count ? "None near by: use the filter \"pending\"." : "No pending entry below this one.");
  }

  enter() {
    if (this.narrow.matches) this.writeAddress(this.sample.number, { push: true });
    this.setScreen();
    this.sample.title.focus();
  }

  focusDetails() {
    const { node } = this.sample.details;
    (node.querySelector("select, button, summary") ?? node).focus();
  }

  back() {
    this.context.navigate(`#/review${writeFilter(this.filter)}`);
  }

  drawPlace() {
    const { active } = this.list;
    const total = this.rows?.count ?? 0;
    this.sample.setPlace(active >= 0 && total ? `${(active + 1).toLocaleString("en")} of ${total.toLocaleString("en")}` : this.sample.item ? "not in this list" : "");
    const nothing = total === 0 && !this.sample.item && this.rows;
    if (nothing) this.sample.showNothing(emptyState({ icon: "review", title: "Nothing to show", text: "The list has no entry." }));
  }

  // Deciding ----------------------------------------------------------------------------------------------------------

  async decide(body, { stay = false } = {}) {
    const { item } = this.sample;
    if (!item || this.sample.isBusy) return;
    const active = this.list.active;
    this.setBusy(true);
    const isSaved = await this.decisions.decide(item, body);
    this.setBusy(false);
    if (isSaved && !stay && this.goOn && this.list.active === active) this.goOnFrom(active);
  }

  goOnFrom(index) {
    if (index >= 0 && index + 1 < this.rows.count) this.open(index + 1, { from: "decision" });
    else if (index >= 0) this.context.toast("That was the last entry of this list.", { kind: "good" });
  }

  async reject() {
    const { item } = this.sample;
    if (!item) return;
    const what = item.sample?.turns.find((turn) => turn.role === "user")?.text.slice(0, 160) ?? "";
    const reason = await askReason({ reasons: this.context.session.reasons ?? [], what });
    if (reason !== null && this.sample.item?.number === item.number) await this.decide({ do: "reject", reason });
  }

  async save() {
    const { sample } = this;
    if (!sample.editing || sample.isBusy) return;
    const { item } = sample;
    const { turns, category } = sample.editing;
    const active = this.list.active;
    this.setBusy(true);
    const isSaved = await this.decisions.decide(item, { do: "edit", turns, category });
    this.setBusy(false);
    if (!isSaved) return;
    this.drafts.remove(item.identity);
    if (sample.item?.number === item.number) sample.stopEditing();
    this.list.redraw();
    if (this.goOn && this.list.active === active) this.goOnFrom(active);
  }

  async cancelEdit() {
    const { sample } = this;
    if (!sample.editing) return;
    if (sample.isChanged()) {
      const text = "What you wrote here is not saved yet.";
      if (!(await this.context.confirm({ title: "Discard your edit?", text, yes: "Discard", no: "Keep writing", danger: true }))) return;
    }
    sample.stopEditing();
    this.list.redraw();
  }

  async settle(verb) {
    const { item } = this.sample;
    const reason = verb === "settle-reject" ? await askReason({ reasons: this.context.session.reasons ?? [], title: "Settle: reject" }) : "";
    if (reason !== null && item === this.sample.item) await this.decide({ do: verb, reason });
  }

  async decideMarked(verb) {
    const size = this.selection.size(this.rows?.count ?? 0);
    if (size === 0) return;
    const which = this.selection.all ? { view: this.rows.view } : { numbers: [...this.selection.numbers] };
    if (await this.decisions.many(which, size, verb)) {
      this.selection.clear();
      this.list.focus();
    }
  }

  async undoLast() {
    const numbers = await this.decisions.undoLast();
    if (numbers.length === 1 && numbers[0] !== this.sample.number) this.openNumber(numbers[0]);
  }

  async showAlike() {
    const { item } = this.sample;
    const { groups } = this.sample.details;
    if (!item || !groups?.length) return void this.context.announce("No other entry is like this one.");
    const decide = async (other, verb) => {
      const body = { do: verb };
      if (verb === "reject") body.reason = "duplicate";
      let now = null;
      await this.decisions.decide(other, body).then((isSaved) => (now = isSaved && get(`/api/items/${other.number}`).catch(() => null)));
      return now;
    };
    const answer = await showAlike({ item, groups, decide, reviewer: this.context.reviewer() });
    if (answer?.open !== undefined) this.openNumber(answer.open);
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

  // What others do, and what the server answers -----------------------------------------------------------------------

  tookItem(item, { isSent = false } = {}) {
    const { number, status, edited, reason, category, by_reviewer } = item;
    this.rows?.update(number, { status, edited, reason, category, by_reviewer });
    this.rows?.invalidate([number]);
    if (this.sample.item?.number === number && !(isSent && this.sample.editing)) this.sample.update(item);
    this.list.redraw();
    this.countAgain();
  }

  /** A decision that waits is shown as made, and marked. */
  waits(item, verb) {
    this.rows?.update(item.number, { status: STATUS_AFTER[verb] });
    if (this.sample.item?.number === item.number) this.sample.update({ ...item, status: STATUS_AFTER[verb], can_undo: true });
    this.list.redraw();
  }

  tookMany(numbers) {
    this.rows?.invalidate(numbers);
    this.list.redraw();
    this.sample.refresh();
    this.countAgain();
  }

  changed({ numbers = [], isFirst, indexed, count: known }) {
    if (!this.rows || isFirst) return;
    if (numbers.length) {
      this.rows.invalidate(numbers);
      this.list.redraw();
      if (numbers.includes(this.sample.item?.number) && !this.sample.isBusy) this.sample.refresh();
      this.countAgain();
    }
    const isNew = known !== this.known || indexed !== this.wasIndexed;
    if (isNew && Date.now() - (this.askedAt ?? 0) > NEW_VIEW_AFTER_MS) {
      [this.known, this.wasIndexed] = [known, indexed];
      this.refreshView();
    }
  }

  /** The counts of the filters, some time after decisions; the list stays as it is. */
  countAgain() {
    clearTimeout(this.counting);
    this.counting = setTimeout(async () => {
      const { sort, ...wanted } = this.filter;
      try {
        const { counts } = await post("/api/views", { ...wanted, sort }, { signal: this.context.signal });
        this.filters.setCounts(counts);
      } catch {
        // Counts of before stay.
      }
    }, 600);
  }

  drawMarks() {
    this.list?.redraw();
    this.bulk?.draw();
  }

  // The address -------------------------------------------------------------------------------------------------------

  writeAddress(number, { push = false } = {}) {
    const address = `#/review${number === undefined ? "" : `/${number}`}${writeFilter(this.filter)}`;
    if (address === location.hash) return;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  routed(route) {
    const filter = readFilter(route.params);
    const number = numberIn(route);
    if (writeFilter(filter) !== writeFilter(this.filter)) {
      this.filters.set(filter);
      this.ask(filter, { number, isFirst: true });
    } else if (number !== undefined && number !== this.sample.number) this.openNumber(number);
    this.setScreen();
  }

  /** On a narrow screen the list and the sample are two screens; the address says which. */
  setScreen() {
    const before = this.pane.dataset.screen;
    const isSample = numberIn(this.context.route()) !== undefined;
    this.pane.dataset.screen = isSample ? "sample" : "list";
    document.documentElement.dataset.screen = this.pane.dataset.screen;
    if (!this.narrow.matches || before === this.pane.dataset.screen || !before) return;
    if (isSample) this.sample.title.focus({ preventScroll: true });
    else this.list.focus();
  }
}

function numberIn({ rest }) {
  return /^\d{1,9}$/.test(rest[0] ?? "") ? Number(rest[0]) : undefined;
}
