// One sample: its media, its conversation to read or to write, what is known of it, and what to do with it.

import { ActionBar } from "./actions.js";
import { connection, get } from "./api.js";
import { drawChat, drawEditor } from "./chat.js";
import { Details } from "./details.js";
import { el, replace } from "./dom.js";
import { emptyState, skeleton } from "./empty.js";
import { icon } from "./icons.js";
import { Media } from "./media.js";
import { statusChip } from "./row.js";

const SKELETON_AFTER_MS = 180;

export class Sample {
  /** `context` of the view; `run`: what the actions do; `categories()`: those that are known, by their counts. */
  constructor({ context, drafts, run, goOn, categories, onSettle, onAlike, onBack, onStep }) {
    Object.assign(this, { context, drafts, goOn, categories, onBack });
    this.item = null;
    this.editing = null;
    this.media = null;
    this.place = el("span.sample-place.number");
    this.title = el("h2.sample-title", { tabindex: "-1", dir: "auto" });
    this.chips = el("div.sample-chips");
    this.mediaBox = el("div.media-box");
    this.chatBox = el("div.chat-box");
    this.note = el("div.sample-note", { hidden: true });
    this.details = new Details({ session: context.session, onSettle, onAlike });
    this.actions = new ActionBar(run);
    // To be scrolled by keys, for a long text holds nothing that takes the focus.
    const scrolls = { tabindex: "0", role: "group", "aria-label": "Media and conversation" };
    this.body = el("div.sample-body", scrolls, this.mediaBox, this.note, this.chatBox);
    this.content = el("div.sample-content", {}, this.body, this.details.node);
    this.node = el("section.sample", { "aria-label": "Sample" }, this.head(onStep), this.content, this.actions.node);
    this.showNothing(skeleton());
  }

  head(onStep) {
    const button = (name, title, run, className = "") =>
      el(
        "button.icon-button",
        { type: "button", title, "aria-label": title.replace(/ \(.*/, ""), class: className, onclick: run },
        icon(name),
      );
    return el(
      "header.sample-head",
      {},
      button("back", "Back to the list", () => this.onBack(), "only-narrow"),
      el("div.sample-names", {}, this.title, el("div.sample-line", {}, this.place, this.chips)),
      el(
        "div.sample-steps",
        {},
        button("back", "Previous entry (K)", () => onStep(-1)),
        button("next", "Next entry (J)", () => onStep(1)),
      ),
    );
  }

  /** What stands there when there is no sample to show. */
  showNothing(state) {
    this.leave();
    this.empty(state);
  }

  empty(state) {
    this.item = null;
    this.node.classList.add("sample-nothing");
    this.nameForNow();
    replace(this.chips);
    replace(this.place);
    replace(this.mediaBox);
    replace(this.chatBox, state);
    replace(this.details.node);
    this.note.hidden = true;
    this.drawActions();
  }

  /** A name to be going on with: the head does not jump, and the focus may rest on it. */
  nameForNow() {
    this.title.hidden = this.number === undefined;
    replace(this.title, this.title.hidden ? "" : `Entry ${this.number}`);
  }

  /** Opens an entry. Answers that come after another was opened are passed over. */
  async open(number) {
    this.leave();
    this.number = number;
    this.hasFailed = false;
    if (this.title.hidden) this.nameForNow();
    const { signal } = (this.controller = new AbortController());
    const coming = setTimeout(() => this.empty(skeleton()), SKELETON_AFTER_MS);
    signal.addEventListener("abort", () => clearTimeout(coming), { once: true });
    try {
      const item = await get(`/api/items/${number}`, { query: { reviewer: this.context.reviewer() }, signal });
      clearTimeout(coming);
      this.controller.abort();
      this.show(item);
    } catch (error) {
      clearTimeout(coming);
      if (error.name === "AbortError") return;
      this.hasFailed = error.status === 404;
      const again = el("button.primary", { type: "button", onclick: () => this.open(number) }, "Try again");
      this.showNothing(
        emptyState({
          icon: "warning",
          title: `Entry ${number} could not be shown`,
          text: error.message,
          actions: [again],
        }),
      );
      const retry = () => this.item === null && this.number === number && this.open(number);
      if (error.isOffline) connection.addEventListener("online", retry, { once: true, signal: this.context.signal });
    }
  }

  /** Asks again for the entry that is shown; while it is edited only its standing is taken over. */
  async refresh() {
    const { item } = this;
    if (!item) return;
    const asked = (this.asked = {});
    try {
      const now = await get(`/api/items/${item.number}`, { query: { reviewer: this.context.reviewer() } });
      if (asked !== this.asked || this.item?.number !== item.number) return;
      if (this.item === item) this.update(now);
      else await this.refresh(); // decided here meanwhile: the answer may be from before that
    } catch {
      // What is shown stays; a lost connection is said at the top.
    }
  }

  show(item) {
    this.controller = new AbortController();
    this.node.classList.remove("sample-nothing");
    this.item = item;
    this.number = item.number;
    this.editing = null;
    this.media = new Media(item.media ?? [], { signal: this.controller.signal, announce: this.context.announce });
    replace(this.mediaBox, this.media.node);
    this.body.scrollTop = this.content.scrollTop = this.details.node.scrollTop = 0;
    this.drawHead();
    this.details.show(item, this.controller.signal);
    const draft = this.drafts.get(item.identity);
    if (draft && item.sample) this.edit({ draft, focus: false });
    else this.drawChat();
  }

  /** Takes over what a decision made of the item; the media play on. */
  update(item) {
    const wasChanged = this.editing && !this.isBusy && textsOf(item) !== textsOf(this.item);
    this.item = item;
    this.drawHead();
    this.details.update(item, this.controller.signal);
    if (!this.editing) this.drawChat();
    else this.drawActions();
    if (wasChanged) this.sayChanged();
  }

  /** Somebody else, or another window, has saved an edit of what is being edited here. */
  sayChanged() {
    const text = "This entry was edited elsewhere meanwhile. What you save takes the place of that.";
    const theirs = el("button", { type: "button", onclick: () => this.stopEditing() }, "Discard mine");
    replace(this.note, icon("warning", 18), el("p", {}, text), theirs);
    this.note.hidden = false;
    this.context.toast(text, { kind: "bad" });
  }

  drawHead() {
    const { origin, status, edited } = this.item;
    this.title.hidden = false;
    replace(this.title, origin);
    replace(this.chips, statusChip(status, this.item), edited && el("span.chip", {}, icon("edit", 13), "edited"));
  }

  setPlace(text) {
    this.place.textContent = text;
  }

  drawChat() {
    const { sample, original, error, entry } = this.item;
    this.note.hidden = true;
    if (!sample) replace(this.chatBox, unreadable(error, entry));
    else {
      const hasVideo = this.media.players.length > 0;
      const chat = drawChat(sample.turns, {
        onTag: (kind, index) => this.media.reveal(kind, index),
        onTime: hasVideo ? (seconds) => this.media.seek(seconds) : null,
        onEdit: (at) => this.edit({ at }),
        isChanged: (at) => Boolean(original) && sample.turns[at].text !== original.turns[at]?.text,
      });
      replace(this.chatBox, chat);
    }
    this.drawActions();
  }

  /** Opens the turns for writing: as they are, or as a draft has them. */
  edit({ at = null, draft = null, focus = true, field = null } = {}) {
    if (!this.item?.sample || this.item.number !== this.number) return;
    if (this.editing) return void this.focusEditor(at, field);
    const { turns } = draft ?? this.item.sample;
    const category = draft?.category ?? this.item.category ?? "";
    this.editing = { turns: turns.map(({ role, text }) => ({ role, text })), category };
    const editor = drawEditor(this.editing.turns, { onInput: (now) => this.wrote({ turns: now }) });
    replace(this.chatBox, this.categoryField(), editor);
    this.note.hidden = !draft;
    if (draft) replace(this.note, icon("draft", 18), el("p", {}, "This is your unsaved edit from before."));
    this.drawActions();
    if (focus) this.focusEditor(at, field);
  }

  focusEditor(at, field) {
    const turns = [...this.chatBox.querySelectorAll("textarea")];
    const answer = this.item.sample.turns.findIndex((turn) => turn.role === "assistant");
    const target = field === "category" ? this.chatBox.querySelector("input") : turns[at ?? Math.max(0, answer)];
    target?.focus({ preventScroll: false });
    if (target?.matches("textarea")) target.setSelectionRange(target.value.length, target.value.length);
  }

  categoryField() {
    const known = Object.keys(this.categories()).filter(Boolean);
    const input = el("input", {
      type: "text",
      value: this.editing.category,
      list: "known-categories",
      autocomplete: "off",
      dir: "auto",
    });
    input.addEventListener("input", () => this.wrote({ category: input.value }));
    const options = el(
      "datalist",
      { id: "known-categories" },
      known.map((value) => el("option", { value })),
    );
    return el("label.field.category-field", {}, el("span", {}, "Category"), input, options);
  }

  wrote(change) {
    Object.assign(this.editing, change);
    const isKept = this.isChanged()
      ? this.drafts.put(this.item.identity, this.editing)
      : (this.drafts.remove(this.item.identity), true);
    if (!isKept && !this.warned) {
      this.warned = true;
      this.context.toast("This browser keeps no drafts: save before you leave.", { kind: "bad" });
    }
  }

  /** Whether what is written differs from what is there. */
  isChanged() {
    if (!this.editing) return false;
    const { turns } = this.item.sample;
    const differs = this.editing.turns.some((turn, at) => turn.text !== turns[at]?.text);
    return (
      differs || this.editing.turns.length !== turns.length || this.editing.category !== (this.item.category ?? "")
    );
  }

  /** Ends writing without saving; the draft is gone. */
  stopEditing() {
    this.drafts.remove(this.item.identity);
    this.editing = null;
    this.drawChat();
    this.actions.edit.focus({ preventScroll: true });
  }

  leave() {
    this.controller?.abort();
    this.media = null;
    this.editing = null;
  }

  drawActions() {
    const { goOn, isBusy = false } = this;
    this.actions.show({ item: this.item, me: this.context.reviewer(), isEditing: this.editing !== null, isBusy, goOn });
  }
}

/** The conversation of an item as one text, to be compared. */
function textsOf({ sample }) {
  return JSON.stringify(sample?.turns ?? null);
}

function unreadable(error, entry) {
  const { code, message } = Array.isArray(error) ? { code: error[0], message: error[1] } : (error ?? {});
  const raw = typeof entry === "string" ? entry : JSON.stringify(entry, null, 2);
  return el(
    "div.unreadable",
    {},
    el(
      "div.message.bad",
      {},
      icon("warning", 20),
      el(
        "div",
        {},
        el("strong", {}, code ?? "unreadable"),
        el("p", { dir: "auto" }, message ?? "This entry is no sample."),
      ),
    ),
    el("pre", { tabindex: "0", "aria-label": "The entry" }, (raw ?? "").slice(0, 20_000)),
  );
}
