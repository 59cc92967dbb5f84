// A row of the list: what is asked and answered, how it stands, what it has.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { nameOf } from "./people.js";
import { oneLine } from "./texts.js";

const STATUS_ICONS = { accepted: "accept", rejected: "reject", disputed: "settle", pending: "clock" };
const KINDS = ["video", "image", "audio"];

/** Fills a row's element; `row` is undefined while it is on its way. `marks`: {isDraft, waits}. */
export function fillRow(node, row, marks) {
  if (!row) {
    node.removeAttribute("aria-label");
    return replace(
      node,
      el("span.row-mark"),
      el("div.row-main.row-coming", {}, el("div.w80"), el("div.w60"), el("div.w40")),
    );
  }
  const question = oneLine(row.question) || oneLine(row.answer) || "(no text)";
  return replace(
    node,
    el("span.row-mark", { dataset: { mark: "" } }, el("span.row-box", {}, icon("accept", 14))),
    el(
      "div.row-main",
      {},
      el("div.row-question", { dir: "auto" }, question),
      el("div.row-answer", { dir: "auto" }, oneLine(row.answer) || "\u00a0"),
      el("div.row-foot", {}, statusChip(row.status, row), facts(row, marks)),
    ),
  );
}

/** A status as icon and word: colour alone says nothing. Of an entry that waits for others, how many were heard. */
export function statusChip(status, entry = {}) {
  const missing = awaited({ ...entry, status });
  const told = missing.length > 0 && `, ${Object.keys(entry.by_reviewer).length} of ${entry.assigned_to.length}`;
  const title = told ? `Waits for ${missing.map(nameOf).join(", ")}` : null;
  return el("span.chip", { class: `status-${status}`, title }, icon(STATUS_ICONS[status] ?? "clock", 13), status, told);
}

/** Whom an entry that was given to several still waits for, once somebody has decided on it. */
export function awaited({ status, assigned_to: given = [], by_reviewer: heard = {} }) {
  const waits = status === "pending" && given.length > 1 && Object.keys(heard).length > 0;
  return waits ? given.filter((name) => !(name in heard)) : [];
}

function facts(row, { isDraft, waits }) {
  return [
    isDraft && fact("draft", "unsaved draft", "doubt-ink"),
    waits && fact("offline", "not sent yet", "doubt-ink"),
    row.edited && fact("edit", "edited"),
    row.warnings?.length > 0 &&
      fact("warning", `${row.warnings.length} ${row.warnings.length === 1 ? "warning" : "warnings"}`, "doubt-ink"),
    KINDS.filter((kind) => row.media?.[kind]).map((kind) => medium(kind, row.media[kind])),
    el("span.row-category", {}, el("bdi", {}, row.category ?? "")),
    el("span.row-number", {}, `#${row.number}`),
  ];
}

function fact(name, title, className = "") {
  return el("span.row-fact", { class: className, title }, icon(name, 14), el("span.unseen", {}, title));
}

function medium(kind, amount) {
  const title = `${amount} ${kind}`;
  return el("span.row-fact", { title }, icon(kind, 14), el("span.unseen", {}, title), amount > 1 && String(amount));
}
