// Texts of entries as the page shows them: tags as chips, times as buttons, unseen characters made visible.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const TAG = /<(image|video|audio)>/;
// "1:23", "01:02:03.5" and "12.5 s", "3 seconds".
const CLOCK = /(?<![\d:.])(?:\d{1,2}:)?\d{1,2}:[0-5]\d(?:\.\d+)?(?![\d:])/;
const SECONDS = /(?<![\d:.,])\d+(?:\.\d+)?\s?(?:s|secs?|seconds?)(?![\p{L}\d])/u;
// Controls, spaces and breaks without a width, marks that turn the direction of what follows, tags that only flags use.
// Joiners are named where nothing joins; in Arabic, Indic and emoji texts they stay, as direction marks do.
const UNSEEN = new RegExp(
  [
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/,
    /(?<![\p{Emoji_Presentation}\p{Extended_Pictographic}\p{M}\p{Lo}\u{1f3fb}-\u{1f3ff}])[\u200c\u200d]/u,
    /(?<!\u{1f3f4}[\u{e0020}-\u{e007e}]*)[\u{e0000}-\u{e007f}]/u,
  ]
    .map(({ source }) => source)
    .join("|"),
  "u",
);
const PARTS = new RegExp(
  [TAG, CLOCK, SECONDS, UNSEEN]
    .map((one) => `(?:${one.source.replace("(image|video|audio)", "(?:image|video|audio)")})`)
    .join("|"),
  "gu",
);
const SHOWN_AT_FIRST = 6000;
// More of them at a time would hold the page up for seconds.
const SHOWN_AT_A_TIME = 200_000;

/** Seconds of "1:23", "12.5 s", "75"; null when it is no time. */
export function secondsOf(text) {
  const clean = text.trim();
  if (/^\d+(\.\d+)?\s*(s|secs?|seconds?)?$/i.test(clean)) return Number.parseFloat(clean);
  if (!/^(\d{1,2}:)?\d{1,2}:\d{1,2}(\.\d+)?$/.test(clean)) return null;
  return clean.split(":").reduce((sum, part) => sum * 60 + Number.parseFloat(part), 0);
}

/** A time as people read it: 83.25 -> "1:23.25". */
export function clock(seconds, digits = 2) {
  const whole = Math.max(0, seconds);
  const minutes = Math.floor(whole / 60);
  const rest = (whole - minutes * 60).toFixed(digits).replace(/\.?0+$/, "") || "0";
  const [full, part] = rest.split(".");
  const hours = Math.floor(minutes / 60);
  const front = hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}` : String(minutes);
  return `${front}:${full.padStart(2, "0")}${part ? `.${part}` : ""}`;
}

/** One line without tags, unseen characters named: for lists. */
export function oneLine(text) {
  return text
    .replace(new RegExp(TAG.source, "g"), " ")
    .replace(new RegExp(UNSEEN.source, "gu"), named)
    .replace(/\s+/g, " ")
    .trim();
}

/**
 * The nodes of a turn's text.
 *
 * `onTag(kind, index)` and `onTime(seconds)` make tags and times buttons; `seen` counts tags over the turns.
 */
export function richText(text, { onTag, onTime, seen = {} } = {}) {
  const box = el("div.rich");
  addText(box, text, 0, SHOWN_AT_FIRST, { onTag, onTime, seen });
  return box;
}

/** A stretch of a text, and behind it a button that leads on. */
function addText(box, text, from, most, options) {
  const to = placeToCut(text, from, most);
  box.dir = ""; // else its direction is found anew for each node, in a time that grows with the square
  for (const node of partsOf(text.slice(from, to), options)) box.append(node);
  box.dir = "auto";
  if (to === text.length) return;
  const all = text.length.toLocaleString("en");
  const isLast = text.length - to <= SHOWN_AT_A_TIME;
  const label = isLast ? `Show all ${all} characters` : `Show more of ${all} characters`;
  const more = el("button.more-text", { type: "button" }, label);
  more.addEventListener("click", () => {
    more.remove();
    addText(box, text, to, SHOWN_AT_A_TIME, options);
    box.tabIndex = -1; // who came by keyboard stays here
    box.focus({ preventScroll: true });
  });
  box.append(more);
}

/** Where a long text is cut: behind a word, so that no tag, time or character is cut in two. */
function placeToCut(text, from, most) {
  const to = from + most;
  if (text.length <= to) return text.length;
  const space = text.slice(to - 201, to).search(/\s\S{0,200}$/);
  if (space >= 0) return to - 201 + space;
  return to - (/[\ud800-\udbff]/.test(text[to - 1]) ? 1 : 0);
}

function partsOf(text, { onTag, onTime, seen }) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(PARTS)) {
    nodes.push(text.slice(at, found.index), partOf(found[0], { onTag, onTime, seen }));
    at = found.index + found[0].length;
  }
  nodes.push(text.slice(at));
  return nodes.filter((node) => node !== "");
}

function partOf(part, { onTag, onTime, seen }) {
  const tag = TAG.exec(part);
  if (tag) return tagChip(tag[1], seen, onTag);
  if (UNSEEN.test(part)) return el("span.unseen-mark", { title: "A character that cannot be seen" }, named(part));
  const seconds = onTime ? secondsOf(part) : null;
  if (seconds === null) return part;
  return el("button.time", { type: "button", title: `Go to ${clock(seconds)}`, onclick: () => onTime(seconds) }, part);
}

function tagChip(kind, seen, onTag) {
  const index = seen[kind] ?? 0;
  seen[kind] = index + 1;
  const content = [icon(kind, 15), `${kind} ${index + 1}`];
  if (!onTag) return el("span.tag", {}, content);
  return el(
    "button.tag",
    { type: "button", title: `Show ${kind} ${index + 1}`, onclick: () => onTag(kind, index) },
    content,
  );
}

function named(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}
