// The statistics view: how far the review is, by status, category, reviewer and day, how long texts are, who agrees.

import { get } from "./api.js";
import { agreementSection } from "./agreement.js";
import { assignmentSection } from "./assignment.js";
import { count, el, replace } from "./dom.js";
import { emptyState, skeleton } from "./empty.js";
import { hasSeveral, nameOf } from "./people.js";
import { bars, columns, figure, STATUSES, totalOf } from "./plots.js";
import { daysOf, lengthsOf, rowsOf } from "./figures.js";

const MOST_BARS = 30;
const AGAIN_AFTER_MS = 1200;

export function mount(root, context) {
  const box = el("div.statistics", {}, skeleton());
  const load = el("button.quiet", { type: "button", onclick: () => draw() }, "Refresh");
  const head = el("header.page-head.with-action", {}, el("h1", {}, "Statistics"), load);
  root.append(el("div.page", {}, head, box));
  let timer = null;
  context.onChanges(({ numbers = [], isFirst }) => {
    if (isFirst || numbers.length === 0) return;
    clearTimeout(timer);
    timer = setTimeout(draw, AGAIN_AFTER_MS);
  });
  draw();

  async function draw() {
    try {
      const [found, agreed] = await Promise.all([
        get("/api/statistics", { signal: context.signal }),
        get("/api/agreement", { signal: context.signal }),
      ]);
      const open = openTables(box);
      replace(box, sections(context, found, agreed.pairs ?? agreed, draw));
      for (const [at, table] of [...box.querySelectorAll("details")].entries()) table.open = open.has(at);
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = el("button.primary", { type: "button", onclick: () => draw() }, "Try again");
      replace(
        box,
        emptyState({
          icon: "warning",
          title: "The statistics could not be loaded",
          text: error.message,
          actions: [again],
        }),
      );
    }
  }
}

/** Tables that are unfolded stay so when the figures are drawn anew. */
function openTables(box) {
  return new Set([...box.querySelectorAll("details")].flatMap((one, at) => (one.open ? [at] : [])));
}

function sections(context, found, pairs, redraw) {
  const several = hasSeveral(context.session);
  const status = found.status ?? {};
  const all = Object.values(status).reduce((sum, one) => sum + one, 0);
  if (all === 0)
    return emptyState({ icon: "statistics", title: "Nothing to count yet", text: "There are no entries so far." });
  return [
    summary(status, all, found),
    el(
      "div.figures",
      {},
      byStatus(found.category, "By category", "category"),
      byStatus(found.medium, "By medium", "medium"),
      byStatus(
        found.reviewer,
        "By reviewer",
        "reviewer",
        nameOf,
        "Each entry counts once, as each reviewer's decision stands now.",
      ),
      several && shares(found.assigned),
      perDay(found),
      lengths(found, "question", "Words of questions"),
      lengths(found, "answer", "Words of answers"),
      lengths(found, "turns", "Turns of conversations"),
      byStatus(found.reason, "Reasons for rejecting", "reason"),
    ),
    several && agreementSection(pairs),
    several && assignmentSection(context, redraw),
  ];
}

function summary(status, all, { edited = 0, is_indexed: isIndexed = true }) {
  const decided = all - (status.pending ?? 0);
  const parts = STATUSES.filter((name) => status[name] || name !== "disputed").map((name) =>
    el(
      "div.figure-number",
      { class: `of-${name}` },
      el("dt", {}, name),
      el(
        "dd.number",
        {},
        (status[name] ?? 0).toLocaleString("en"),
        el("span.dim", {}, ` ${percent(status[name] ?? 0, all)}`),
      ),
    ),
  );
  const so = isIndexed ? "" : " so far: the data is still being read";
  return el(
    "section.card.summary",
    { "aria-label": "Progress" },
    el("h2", {}, `${decided.toLocaleString("en")} of ${count(all, "entry", "entries")} decided (${percent(decided, all)})${so}`),
    el(
      "div.meter",
      { role: "img", "aria-label": STATUSES.map((name) => `${name} ${status[name] ?? 0}`).join(", ") },
      meter(status, all),
    ),
    el(
      "dl.figure-numbers",
      {},
      parts,
      el(
        "div.figure-number.of-edited",
        {},
        el("dt", {}, "of these edited"),
        el("dd.number", {}, edited.toLocaleString("en")),
      ),
    ),
  );
}

/** How far each reviewer is with what was shared out. */
function shares(found) {
  const rows = Object.entries(found ?? {}).map(([name, { entries, decided }]) => ({
    label: nameOf(name),
    parts: { decided, open: entries - decided },
  }));
  if (rows.length === 0) return null;
  const series = ["decided", "open"];
  return figure({
    title: "What was shared out",
    series,
    draw: (width) =>
      bars(
        rows,
        series,
        width,
        rows.map(({ label, parts }) => `${label} ${parts.decided} of ${totalOf({ parts })}`).join(", "),
      ),
    table: {
      head: ["reviewer", "decided", "open"],
      rows: rows.map(({ label, parts }) => [label, parts.decided, parts.open]),
    },
  });
}

function meter(status, all) {
  return STATUSES.filter((name) => status[name]).map((name) => {
    const part = el("span", { class: `meter-${name}` });
    part.style.flexGrow = String(status[name] / all);
    return part;
  });
}

function byStatus(found, title, what, naming = (name) => name || "(none)", about = "") {
  const rows = rowsOf(found, naming);
  if (rows.length === 0) return null;
  const shown = rows.slice(0, MOST_BARS);
  const series = seriesOf(rows);
  return figure({
    title,
    note: rows.length > shown.length ? `The ${MOST_BARS} most frequent of ${rows.length.toLocaleString("en")}.` : about,
    series,
    draw: (width) =>
      bars(
        shown,
        series,
        width,
        `${title}: ${shown
          .slice(0, 5)
          .map((row) => `${row.label} ${totalOf(row)}`)
          .join(", ")}`,
      ),
    table: {
      head: [what, ...series, ...(series.length > 1 ? ["all"] : [])],
      rows: rows.map((row) => [
        row.label,
        ...series.map((name) => row.parts[name] ?? 0),
        ...(series.length > 1 ? [totalOf(row)] : []),
      ]),
    },
  });
}

function perDay(found) {
  const rows = daysOf(found.days);
  if (rows.length === 0) return null;
  const series = seriesOf(rows);
  return figure({
    title: "Decisions per day",
    note: "All decisions that were made, also again on the same entry; days are those of UTC.",
    series,
    draw: (width) => columns(rows, series, width, `Decisions per day from ${rows[0].label} to ${rows.at(-1).label}`),
    table: {
      head: ["day", ...series],
      rows: rows.map((row) => [row.label, ...series.map((name) => row.parts[name] ?? 0)]),
    },
  });
}

function lengths(found, name, title) {
  const known = lengthsOf(found, name);
  if (!known || known.rows.length === 0) return null;
  const about = [
    known.mean !== null && `mean ${known.mean.toLocaleString("en", { maximumFractionDigits: 1 })}`,
    known.median !== null && `median ${known.median.toLocaleString("en")}`,
    known.most !== null && `longest ${known.most.toLocaleString("en")}`,
  ]
    .filter(Boolean)
    .join(", ");
  return figure({
    title,
    note: about && `${about[0].toUpperCase()}${about.slice(1)}.${known.areEven ? "" : " Ranges grow to the right."}`,
    series: ["count"],
    draw: (width) => columns(known.rows, ["count"], width, `${title}: ${about}`),
    table: {
      head: [name === "turns" ? "turns" : "words", "entries"],
      rows: known.rows.map((row) => [row.label, row.parts.count]),
    },
  });
}

/** The series that rows have, statuses in their order. */
function seriesOf(rows) {
  const names = new Set(rows.flatMap((row) => Object.keys(row.parts).filter((name) => row.parts[name] > 0)));
  return [...STATUSES.filter((name) => names.has(name)), ...[...names].filter((name) => !STATUSES.includes(name))];
}

/** A share to a tenth of a percent; what is not nothing is not told as 0, nor what is not all as 100. */
function percent(part, all) {
  const tenths = Math.round((part / all) * 1000);
  if (part > 0 && tenths === 0) return "< 0.1 %";
  if (part < all && tenths === 1000) return "> 99.9 %";
  return `${(tenths / 10).toLocaleString("en")} %`;
}
