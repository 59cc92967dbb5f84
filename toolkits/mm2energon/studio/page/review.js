// The review view: the list with its filters on one side, the open sample on the other, and what happens between them.

import { Browse } from "./browse.js";
import { BulkBar } from "./bulk.js";
import { Deciding } from "./deciding.js";
import { Decisions, STATUS_AFTER } from "./decisions.js";
import { el } from "./dom.js";
import { Drafts } from "./drafts.js";
import { emptyState } from "./empty.js";
import { readFilter, writeFilter } from "./filter.js";
import { Outbox } from "./outbox.js";
import { registerKeys } from "./review_keys.js";
import { Sample } from "./sample.js";
import { Selection } from "./selection.js";

const OPEN_AFTER_MS = 70;

export function mount(root, context) {
  new Review(root, context).start();
}

class Review {
  constructor(root, context) {
    this.context = context;
    const { journal, path } = context.session.dataset;
    this.narrow = window.matchMedia("(max-width: 47.5em)");
    this.drafts = new Drafts(journal || path);
    this.selection = new Selection(() => this.drawMarks());
    this.deciding = new Deciding(this);
    this.waitsToOpen = false;
    this.outbox = this.makeOutbox(journal || path);
    this.decisions = this.makeDecisions();
    this.bulk = this.makeBulk();
    this.browse = this.makeBrowse();
    this.sample = this.makeSample();
    this.pane = el("div.review", {}, el("h1.unseen", {}, "Review"), this.browse.node, this.sample.node);
    root.append(this.pane);
    registerKeys(this);
    context.onRoute((route) => this.routed(route));
    context.onChanges((changes) => this.changed(changes));
    context.onReviewer(() => this.sample.refresh());
  }

  async start() {
    this.setScreen();
    this.outbox.flush();
    const number = numberIn(this.context.route());
    if (number !== undefined) this.sample.open(number);
    await this.browse.ask(this.browse.filter, number);
  }

  makeOutbox(journal) {
    return new Outbox({
      journal,
      signal: this.context.signal,
      onSent: (item) => this.tookItem(item, { isSent: true }),
      onRefused: (decision, error) => this.refused(decision, error),
      onChange: () => this.browse?.list.redraw(),
    });
  }

  makeDecisions() {
    return new Decisions({
      context: this.context,
      outbox: this.outbox,
      onItem: (item) => this.tookItem(item),
      onWaits: (item, body) => this.waits(item, body),
      onMany: (numbers) => this.tookMany(numbers),
    });
  }

  makeBulk() {
    return new BulkBar({
      size: () => this.selection.size(this.browse.count),
      total: () => this.browse.count,
      run: (verb) => this.deciding.marked(verb),
      onAll: () => this.selection.selectAll(),
      onClear: () => (this.selection.clear(), this.browse.list.focus()),
    });
  }

  makeBrowse() {
    return new Browse({
      context: this.context,
      filter: readFilter(this.context.route().params),
      selection: this.selection,
      narrow: this.narrow,
      marksOf: (row) => ({ isDraft: this.drafts.has(row.identity), waits: this.outbox.has(row.identity) }),
      onAsk: () => this.writeAddress(numberIn(this.context.route())),
      onPick: (row, options) => this.picked(row, options),
      onView: (at) => this.viewed(at),
      onEnter: () => this.enter(),
      foot: this.bulk.node,
    });
  }

  makeSample() {
    const { deciding } = this;
    const run = {
      accept: () => deciding.decide({ do: "accept" }),
      reject: () => deciding.reject(),
      edit: () => this.sample.edit(),
      save: () => deciding.save(),
      cancel: () => deciding.cancelEdit(),
      undo: () => deciding.step("undo"),
      redo: () => deciding.step("redo"),
      reset: () => deciding.reset(),
      setGoOn: (goOn) => deciding.setGoOn(goOn),
    };
    return new Sample({
      context: this.context,
      drafts: this.drafts,
      run,
      goOn: deciding.goOn,
      categories: () => this.browse.counts?.category ?? {},
      onSettle: (verb) => deciding.settle(verb),
      onAlike: () => deciding.alike(),
      onBack: () => this.back(),
      onStep: (by) => this.step(by),
    });
  }

  /** Another list is shown; on a wide screen something of it is open. */
  viewed(at) {
    const { browse, sample } = this;
    this.drawMarks();
    if (at < 0 && browse.count > 0 && !this.narrow.matches && !sample.editing && !this.isOpenByAddress())
      browse.pick(0, "view");
    if (browse.count === 0 && !sample.item && numberIn(this.context.route()) === undefined) {
      sample.showNothing(emptyState({ icon: "review", title: "Nothing to show", text: "The list has no entry." }));
    }
    this.drawPlace();
  }

  /** Whether the open entry is what the address asked for, though the list does not have it. */
  isOpenByAddress() {
    const asked = numberIn(this.context.route());
    return asked !== undefined && asked === this.sample.number && this.browse.active < 0 && !this.sample.wasPicked;
  }

  /** Whether the list is ahead of the sample. */
  get isOpening() {
    return this.waitsToOpen || this.browse.picking !== null;
  }

  /** Opens what was chosen in the list; of fast steps only the last. */
  picked(row, { from }) {
    clearTimeout(this.opening);
    this.waitsToOpen = true;
    this.drawPlace();
    const open = () => {
      this.waitsToOpen = false;
      this.sample.wasPicked = true;
      const isNewScreen = this.narrow.matches && this.pane.dataset.screen === "list";
      if (isNewScreen && from === "key") return;
      this.writeAddress(row.number, { push: isNewScreen });
      if (row.number !== this.sample.item?.number) this.sample.open(row.number).then(() => this.drawPlace());
      this.setScreen();
    };
    if (from === "key") this.opening = setTimeout(open, OPEN_AFTER_MS);
    else open();
  }

  /** Opens an entry by its number, in the list or not. */
  async openNumber(number) {
    clearTimeout(this.opening);
    this.waitsToOpen = false;
    this.sample.wasPicked = false;
    this.writeAddress(number);
    const opened = this.sample.open(number);
    this.setScreen();
    if (this.browse.rows) this.browse.list.setActive(await this.browse.find(number), { centre: true });
    await opened;
    this.drawPlace();
  }

  step(by) {
    if (!this.browse.step(by)) this.context.announce(by > 0 ? "The last entry" : "The first entry");
  }

  enter() {
    const row = this.browse.rows?.at(this.browse.active);
    if (this.narrow.matches && row) this.picked(row, { from: "enter" });
    else this.sample.title.focus();
  }

  back() {
    this.context.navigate(`#/review${writeFilter(this.browse.filter)}`);
  }

  focusDetails() {
    const { node } = this.sample.details;
    (node.querySelector("select, button, summary") ?? node).focus();
  }

  drawPlace() {
    this.sample.setPlace(this.browse.place || (this.sample.item && this.browse.rows ? "not in this list" : ""));
  }

  drawMarks() {
    this.browse?.list.redraw();
    this.bulk?.draw();
  }

  tookItem(item, { isSent = false } = {}) {
    const { number, status, edited, reason, category, by_reviewer } = item;
    this.browse.rows?.update(number, { status, edited, reason, category, by_reviewer });
    this.browse.rows?.invalidate([number]);
    if (this.sample.item?.number === number && !(isSent && this.sample.editing)) this.sample.update(item);
    this.browse.list.redraw();
    this.browse.countAgain();
  }

  /** A decision that waits is shown as made, and marked. */
  waits(item, body) {
    const now = { ...item, status: STATUS_AFTER[body.do], reason: body.reason, can_undo: true };
    if (body.turns) Object.assign(now, { edited: true, sample: { ...item.sample, turns: body.turns } });
    this.browse.rows?.update(item.number, { status: now.status, edited: now.edited, reason: now.reason });
    if (this.sample.item?.number === item.number) this.sample.update(now);
    this.browse.list.redraw();
  }

  /** What waited and is not taken is said; an edit among it becomes a draft again. */
  refused({ number, identity, body }, error) {
    if (body.turns) this.drafts.put(identity, { turns: body.turns, category: body.category ?? undefined });
    this.context.toast(`The decision on entry ${number} was not saved: ${error.message}`, { kind: "bad" });
    this.tookMany([number]);
  }

  tookMany(numbers) {
    this.browse.rows?.invalidate(numbers);
    this.browse.list.redraw();
    this.browse.countAgain();
    this.sample.refresh();
  }

  /** What happened elsewhere: others' decisions, and entries that are indexed by now. */
  changed({ numbers = [], more = false, isFirst, indexed, count }) {
    if (numbers.length && !isFirst) {
      this.browse.rows?.invalidate(more ? null : numbers);
      this.browse.list.redraw();
      this.browse.countAgain();
      if ((more || numbers.includes(this.sample.item?.number)) && !this.sample.isBusy) this.sample.refresh();
    }
    this.browse.drawFault();
    // An entry that was asked for by the address before it was indexed.
    const { number, item, hasFailed } = this.sample;
    if (item === null && hasFailed && number < count) this.openNumber(number);
    const grown = `${count} ${indexed}`;
    this.known ??= grown;
    if (grown !== this.known && this.browse.grown()) this.known = grown;
  }

  writeAddress(number, { push = false } = {}) {
    const address = `#/review${number === undefined ? "" : `/${number}`}${writeFilter(this.browse.filter)}`;
    if (address === location.hash) return;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  routed(route) {
    const filter = readFilter(route.params);
    const number = numberIn(route);
    this.setScreen();
    if (writeFilter(filter) !== writeFilter(this.browse.filter)) this.browse.ask(filter, number);
    if (number !== undefined && number !== this.sample.number) this.openNumber(number);
  }

  /** On a narrow screen the list and the sample are two screens; the address says which. */
  setScreen() {
    const before = this.pane.dataset.screen;
    const isSample = numberIn(this.context.route()) !== undefined;
    this.pane.dataset.screen = isSample ? "sample" : "list";
    document.documentElement.dataset.screen = this.pane.dataset.screen;
    if (!this.narrow.matches || before === this.pane.dataset.screen || !before) return;
    if (isSample) this.sample.title.focus({ preventScroll: true });
    else this.browse.list.focus();
  }
}

function numberIn({ rest }) {
  return /^\d{1,9}$/.test(rest[0] ?? "") ? Number(rest[0]) : undefined;
}
