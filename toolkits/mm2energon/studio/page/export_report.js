// What comes of an export: how far it is, its log as it comes, the files with their records and sizes, what was skipped.

import { count, el, replace } from "./dom.js";
import { emptyState } from "./empty.js";
import { icon } from "./icons.js";

const SKIPPED_SHOWN = 200;

export class ExportReport {
  constructor({ onCancel }) {
    this.onCancel = onCancel;
    this.node = el("section.card.export-report", { tabindex: "-1", "aria-label": "What comes of it" });
    this.showNothing();
  }

  showNothing() {
    const text = "Its log, its files with their records and sizes, and what was skipped are shown here.";
    replace(this.node, emptyState({ icon: "export", title: "Nothing exported yet", text }));
  }

  begin() {
    this.lines = [];
    this.log = el("pre.log", { role: "log", tabindex: "0", "aria-label": "Export log" });
    this.state = el("div.export-state");
    this.progress = null;
    this.files = el("div");
    this.logBox = el("details.export-log", { open: true }, el("summary", {}, "Log"), this.log);
    replace(this.node, this.state, this.files, this.logBox);
    this.drawState({ state: "running", step: "", done: 0, total: null });
  }

  failed(message) {
    if (!this.state) this.begin();
    this.drawState({ state: "failed", error: { message } });
  }

  /** Shows an answer of the server; its lines are those since the answer before. */
  show(now) {
    if (!this.log) this.begin();
    this.drawState(now);
    this.addLines(now.lines ?? []);
    if (now.state !== "running") replace(this.files, this.summary(now), this.skipped(now));
  }

  addLines(lines) {
    if (lines.length === 0) return;
    const isAtEnd = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 8;
    this.log.append(lines.map((line) => `${line}\n`).join(""));
    if (isAtEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  drawState({ state, step, done, total, error, seconds }) {
    // What is under way stays the same elements: a button that is drawn anew loses the click, and the focus.
    if (state === "running" && this.progress) return this.progress.show(step, done, total);
    this.progress = state === "running" ? progress() : null;
    this.progress?.show(step, done, total);
    const heading = {
      running: "Exporting …",
      done: "Export complete",
      failed: "The export failed",
      cancelled: "The export was cancelled",
    }[state];
    const name = { running: "clock", done: "accept", failed: "warning", cancelled: "stop" }[state];
    const took = state === "done" && seconds !== undefined && el("span.dim.number", {}, `${seconds.toFixed(1)} s`);
    const cancel = state === "running" && this.cancelButton();
    replace(
      this.state,
      el("div.export-title", { class: `state-${state}` }, icon(name), el("h2", {}, heading), took, cancel),
      error?.message && el("p.message", { class: state === "failed" ? "bad" : "doubt", dir: "auto" }, error.message),
      this.progress && this.progress.node,
    );
  }

  /** Is out of use while the export comes to its end. */
  cancelButton() {
    const button = el("button", { type: "button" }, icon("stop", 16), "Cancel");
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.disabled = await this.onCancel();
    });
    return button;
  }

  summary({ files = [], records, csv, shards = [], companions = [], advice = [], left_out: leftOut = {}, output }) {
    const others = Object.entries(leftOut).map(([name, number]) => `${number.toLocaleString("en")} ${name}`);
    return [
      output && el("p.export-output", { dir: "auto" }, icon("folder", 18), el("span", {}, output)),
      files.length > 0 && fileTable(files, records),
      csv && el("p.message.good", { dir: "auto" }, icon("file", 18), el("span", {}, csvText(csv))),
      shards.length > 0 && el("div", {}, el("h3", {}, "Shards"), linesOf(shards)),
      companions.length > 0 && el("p.hint", { dir: "auto" }, `Beside them: ${companions.join(", ")}`),
      others.length > 0 && el("p.hint", {}, `Left out by their status: ${others.join(", ")}.`),
      advice.length > 0 && el("div.message", {}, linesOf(advice)),
    ];
  }

  skipped({ skipped = [], account = {}, not_held: notHeld = {} }) {
    if (skipped.length === 0) return null;
    const items = skipped.slice(0, SKIPPED_SHOWN).map(skippedItem);
    const list = { tabindex: "0", role: "region", "aria-label": "Skipped samples" };
    return el(
      "section",
      {},
      el("h3", {}, "Skipped"),
      reasonsOf("in no file", account.set_aside ?? {}),
      Object.entries(notHeld).map(([template, reasons]) => reasonsOf(`not in that of ${template}`, reasons)),
      el("div.table-frame.skipped", list, el("ul", {}, items)),
      el("p.hint", {}, `The first are shown${account.set_aside_file ? `; all are in ${account.set_aside_file}` : ""}.`),
    );
  }
}

/** How many were skipped for which reason. */
function reasonsOf(where, reasons) {
  const counted = Object.entries(reasons).filter(([, number]) => number > 0);
  const total = counted.reduce((sum, [, number]) => sum + number, 0);
  const chips = counted.map(([reason, number]) => el("span.chip", {}, `${reason} ${number.toLocaleString("en")}`));
  return total > 0 && el("p.skipped-counts", {}, `${count(total, "sample")} ${where}:`, chips);
}

function skippedItem({ origin, reason, message, template }) {
  const rest = message.startsWith(`${origin}: `) ? message.slice(origin.length + 2) : message;
  return el(
    "li",
    {},
    el("strong", {}, el("bdi", {}, origin)),
    el("span.chip", {}, reason),
    template && el("span.dim.small", {}, template),
    el("p", { dir: "auto" }, rest),
  );
}

function linesOf(lines) {
  return el(
    "ul.plain-lines",
    {},
    lines.map((line) => el("li", { dir: "auto" }, String(line))),
  );
}

/** 45312 -> "45.3 KB". */
function sizeOf(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** How far an export is: `node`, and `show(step, done, total)`. */
function progress() {
  const bar = el("progress", { "aria-label": "How far the export is" });
  const text = el("span.dim.number");
  const show = (step, done, total) => {
    if (total) Object.assign(bar, { max: total, value: done });
    else bar.removeAttribute("value");
    const of = total ? ` of ${total.toLocaleString("en")}` : "";
    text.textContent = step ? `${step}: ${done.toLocaleString("en")}${of}` : "Starting";
  };
  return { node: el("div.export-progress", {}, bar, text), show };
}

function fileTable(files, records) {
  const rows = files.map((one) =>
    el(
      "tr",
      {},
      el("td", {}, el("bdi", {}, one.name)),
      el("td.number", {}, one.records.toLocaleString("en")),
      el("td.number", {}, sizeOf(one.bytes)),
    ),
  );
  const bytes = files.reduce((sum, one) => sum + one.bytes, 0);
  const all = records ?? files.reduce((sum, one) => sum + one.records, 0);
  const foot =
    files.length > 1 &&
    el(
      "tfoot",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "row" }, count(files.length, "file")),
        el("td.number", {}, all.toLocaleString("en")),
        el("td.number", {}, sizeOf(bytes)),
      ),
    );
  return el(
    "div.table-frame",
    { tabindex: "0", role: "region", "aria-label": "Files" },
    el("table", {}, head("File", ["Records", "number"], ["Size", "number"]), el("tbody", {}, rows), foot),
  );
}

function head(...titles) {
  return el(
    "thead",
    {},
    el(
      "tr",
      {},
      titles.map((one) =>
        Array.isArray(one) ? el(`th.${one[1]}`, { scope: "col" }, one[0]) : el("th", { scope: "col" }, one),
      ),
    ),
  );
}

function csvText({ path, backup, rows }) {
  const changed = rows ? `${count(rows, "row")} of ${path} updated` : `${path} was up to date`;
  return backup ? `${changed}; copy of before: ${backup}` : `${changed}.`;
}
