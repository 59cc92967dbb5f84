// The list of runs, the last one first.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { stateOf } from "./finetune_words.js";
import { when } from "./try_words.js";

/** The list; methods: `show(runs)`, `mark(id)` (the run that is looked at), `fail(message)`. */
export function runList({ onNew }) {
  const list = el("div");
  const fresh = el("button", { type: "button", onclick: onNew }, icon("plus", 16), "New run");
  const head = el("div.tune-list-head", {}, el("h2", { id: "tune-runs" }, "Runs"), fresh);
  const element = el("section.card.tune-runs", { "aria-labelledby": "tune-runs" }, head, list);
  const state = { runs: null, current: "", drawn: "" };
  const draw = () => {
    fresh.hidden = state.current === "";
    const drawn = JSON.stringify([state.runs, state.current]);
    if (state.runs === null || drawn === state.drawn) return;
    const focused = document.activeElement?.getAttribute?.("href");
    state.drawn = drawn;
    const rows = state.runs.map((run) => row(run, run.id === state.current));
    replace(
      list,
      rows.length
        ? el("ul.tune-rows", {}, rows)
        : el("p.hint", {}, "Runs that are started here or by the command line are listed here."),
    );
    if (focused) [...list.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
  };
  const show = (runs) => ((state.runs = runs), draw());
  const mark = (id) => ((state.current = id), draw());
  return { element, show, mark, fail: (message) => ((state.drawn = ""), replace(list, el("p.hint", {}, message))) };
}

/** A run's state, as a badge. */
export function badge(run) {
  const { title, kind } = stateOf(run);
  return el("span.chip", { class: `tune-${kind}` }, title);
}

function row(run, isCurrent) {
  const of = run.total ? `step ${run.step} of ${run.total}` : "";
  return el(
    "li",
    {},
    el(
      "a.tune-row",
      { href: `#/finetune/${encodeURIComponent(run.id)}`, "aria-current": isCurrent ? "page" : null },
      el("span.tune-row-name", { dir: "auto" }, run.id),
      badge(run),
      el("span.hint", {}, [when(run.started), of].filter(Boolean).join(" · ")),
    ),
  );
}
