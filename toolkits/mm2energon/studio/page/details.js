// What is known of a sample beside its conversation: how it stands, what the target says, who decided, what is alike.

import { get } from "./api.js";
import { Check } from "./check.js";
import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { nameOf } from "./people.js";
import { awaited, statusChip } from "./row.js";
import { acceptedVersions } from "./versions.js";

const DONE = {
  accept: "accepted",
  reject: "rejected",
  edit: "edited",
  reset: "reset",
  undo: "taken back",
  redo: "done again",
  assign: "assigned",
  "settle-accept": "settled: accepted",
  "settle-reject": "settled: rejected",
};

/** The panel of one item. `onSettle(do)`, `onAlike()`, `signal` of the item. */
export class Details {
  constructor({ session, onSettle, onAlike }) {
    Object.assign(this, { session, onSettle, onAlike });
    this.check = new Check(session);
    this.alike = el("div.alike-result");
    this.node = el("aside.details", { "aria-label": "About this sample", tabindex: "-1" });
  }

  show(item, signal) {
    if (this.item?.number !== item.number) replace(this.alike);
    this.item = item;
    replace(
      this.node,
      this.standing(),
      this.reviewers(),
      this.check.node,
      this.trying(),
      el("section", {}, el("h3", {}, "Alike"), this.alike),
      this.fields(),
      this.history(),
      this.source(),
    );
    this.check.load(item.number, signal);
    this.loadAlike(signal);
  }

  /** Draws what a decision changes; check and alike stay where they are until they are told anew. */
  update(item, signal) {
    const scrolled = this.node.scrollTop;
    const focused = this.node.contains(document.activeElement) ? document.activeElement : null;
    this.show(item, signal);
    this.node.scrollTop = scrolled;
    if (focused) (focused.isConnected ? focused : this.node).focus({ preventScroll: true });
  }

  standing() {
    const { status, edited, reason, category, format } = this.item;
    return el(
      "section.standing",
      {},
      el("div.standing-chips", {}, statusChip(status, this.item), edited && el("span.chip", {}, icon("edit", 13), "edited")),
      reason && el("p.reason", { dir: "auto" }, reason),
      pairs([
        ["Category", category && el("bdi", {}, category)],
        ["Format", format],
        ["Assigned to", (this.item.assigned_to ?? []).map(nameOf).join(", ")],
      ]),
    );
  }

  /** The way to a model that is asked about a video of the sample. */
  trying() {
    const videos = (this.item.media ?? []).filter((one) => one.kind === "video" && one.exists && !one.error);
    if (!videos.length) return null;
    const links = videos.map(({ index }) => {
      const title = videos.length > 1 ? `Try a model on video ${index + 1}` : "Try a model on this";
      return el("a.button", { href: `#/try?item=${this.item.number}&video=${index}` }, icon("try", 16), title);
    });
    return el("section.trying", {}, el("h3", {}, "Model"), links);
  }

  reviewers() {
    const decided = Object.entries(this.item.by_reviewer ?? {});
    const missing = awaited(this.item).map(nameOf).join(", ");
    if (decided.length < 2 && this.item.status !== "disputed" && !missing) return null;
    const rows = decided.map(([name, status]) =>
      el("li.verdict", {}, el("bdi", {}, nameOf(name)), statusChip(status), this.lastWord(name)),
    );
    const isDisputed = this.item.status === "disputed";
    return el(
      "section",
      {},
      el("h3", {}, "Reviewers"),
      el("ul.verdicts", {}, rows),
      isDisputed && el("p.hint", {}, "The reviewers disagree. Whoever settles it decides for all."),
      missing && el("p.hint", {}, `Waits for ${missing}. Whoever settles it decides for all.`),
      this.settling(isDisputed || Boolean(missing)),
    );
  }

  settling(isOpen) {
    const button = (name, title, run) => el("button", { type: "button", onclick: run }, icon(name, 16), title);
    const versions = acceptedVersions(this.item);
    const isChoice = versions > 1;
    if (!isOpen && !isChoice) return null;
    return el(
      "div.settle",
      {},
      (isChoice || this.item.status === "disputed") &&
        button("settle", "Compare versions", () => this.onSettle("compare")),
      isOpen && !isChoice && button("accept", "Settle: accept", () => this.onSettle("settle-accept")),
      isOpen && button("reject", "Settle: reject", () => this.onSettle("settle-reject")),
    );
  }

  lastWord(name) {
    const reason = this.item.opinions?.[name]?.reason;
    return reason && el("span.dim", { dir: "auto" }, reason);
  }

  async loadAlike(signal) {
    this.groups = null;
    try {
      const found = await get(`/api/items/${this.item.number}/alike`, { signal });
      this.groups = Object.entries(found.groups ?? found).filter(([, rows]) => Array.isArray(rows) && rows.length > 0);
      replace(this.alike, this.alikeGroups());
    } catch (error) {
      if (error.name !== "AbortError") replace(this.alike, el("p.message.doubt", { dir: "auto" }, error.message));
    }
  }

  alikeGroups() {
    if (this.groups.length === 0)
      return el("p.hint", {}, "No other entry has the same content, media, question or text.");
    const lines = this.groups.map(([name, rows]) =>
      el("li", {}, el("span", {}, name), el("span.number", {}, rows.length.toLocaleString("en"))),
    );
    const button = el(
      "button",
      { type: "button", onclick: () => this.onAlike(), title: "Side by side (D)" },
      icon("alike", 18),
      "Side by side",
    );
    return [el("ul.plain-list", {}, lines), button];
  }

  fields() {
    const fields = Object.entries(this.item.fields ?? {});
    if (fields.length === 0) return null;
    const shown = fields.map(([name, value]) => [el("bdi", {}, name), value === "" ? null : el("bdi", {}, value)]);
    return el("section", {}, el("h3", {}, "Columns"), pairs(shown, { all: true }));
  }

  history() {
    const done = (this.item.history ?? []).map(past).reverse();
    if (done.length === 0) return null;
    const lines = done.map((one) =>
      el(
        "li",
        {},
        el("div", {}, el("strong", {}, DONE[one.do] ?? one.do), one.reviewer && [" by ", el("bdi", {}, one.reviewer)]),
        one.reason && el("div", { dir: "auto" }, one.reason),
        this.saidThen(one.sample),
        el("time.dim.small", { datetime: one.at, title: one.at }, moment(one.at)),
      ),
    );
    return el("section", {}, el("h3", {}, "History"), el("ol.history", {}, lines));
  }

  /** What an edit of before said, where that is not what the file says. */
  saidThen(sample) {
    const turns = (this.item.original ?? this.item.sample)?.turns ?? [];
    const changed = (sample?.turns ?? []).filter((turn, at) => turn.text !== turns[at]?.text);
    if (changed.length === 0) return null;
    return el(
      "details",
      {},
      el("summary", {}, "What it said"),
      changed.map((turn) => el("p.was", { dir: "auto" }, el("strong", {}, `${turn.role}: `), clip(turn.text))),
    );
  }

  source() {
    const { entry, original, edited, sample } = this.item;
    const raw = typeof entry === "string" ? entry : JSON.stringify(entry, null, 2);
    const before = edited &&
      original &&
      sample && [
        el("h3", {}, "As it was"),
        original.turns.map((turn) => el("p.was", { dir: "auto" }, el("strong", {}, `${turn.role}: `), turn.text)),
      ];
    return el(
      "section",
      {},
      before,
      el(
        "details.raw",
        {},
        el("summary", {}, "The entry as it stands in the file"),
        el("pre", { tabindex: "0", "aria-label": "The entry" }, clip(raw ?? "")),
      ),
    );
  }
}

const MOST_RAW = 100_000;

function clip(text) {
  return text.length > MOST_RAW
    ? `${text.slice(0, MOST_RAW)}\n… (${text.length.toLocaleString("en")} characters)`
    : text;
}

/** History comes as objects or as the server's rows of four. */
function past(one) {
  return Array.isArray(one) ? { at: one[0], reviewer: one[1], do: one[2], reason: one[3] } : one;
}

function moment(at) {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
}

function pairs(entries, { all = false } = {}) {
  const shown = entries.filter(([, value]) => all || value);
  if (shown.length === 0) return null;
  return el(
    "dl.pairs",
    {},
    shown.map(([name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, value ?? el("span.dim", {}, "empty"))),
    ),
  );
}
