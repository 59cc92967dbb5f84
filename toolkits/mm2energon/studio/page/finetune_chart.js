// The loss chart: training and validation loss by step, drawn as SVG, read by pointer and by keys.

import { el, replace, svg } from "./dom.js";
import { HEIGHT, MARGIN, axes, curves, legendOf, scalesOf } from "./finetune_curves.js";
import { nearest, smoothed } from "./finetune_scale.js";
import { figure } from "./finetune_words.js";
import { recall, remember } from "./memory.js";

const USUAL_SMOOTHING = 0.6;

/** The chart; `show({losses, evals, total, isLive})`, points {step, loss}, ascending by step. */
export function lossChart({ signal }) {
  const state = {
    losses: [],
    evals: [],
    total: 0,
    weight: recall("smoothing", USUAL_SMOOTHING),
    at: null,
    width: 0,
    drawn: "",
  };
  const picture = svg("svg", { class: "tune-chart", "aria-hidden": "true", height: HEIGHT });
  const tip = el("div.tune-tip", { hidden: true, "aria-hidden": "true" });
  const frame = el(
    "div.tune-frame",
    { tabindex: "0", role: "slider", "aria-label": "Loss by step", "aria-valuemin": "0" },
    picture,
    tip,
  );
  const legend = el("div.tune-legend");
  const table = el("tbody");
  const empty = el("p.hint.tune-empty");
  const body = el("div", {}, frame, legend, evalTable(table));
  const element = el(
    "section.card",
    { "aria-labelledby": "tune-loss" },
    el(
      "div.tune-chart-head",
      {},
      el("h2", { id: "tune-loss" }, "Loss"),
      smoothing(state, () => draw()),
    ),
    empty,
    body,
  );

  const draw = () => {
    const nothing = !state.losses.length && !state.evals.length;
    empty.hidden = !nothing;
    empty.textContent = state.isLive ? "The first step is still to come." : "No step was taken.";
    body.hidden = nothing;
    if (nothing || !state.width) return;
    state.smooth = smoothed(state.losses, state.weight);
    state.scales = scalesOf(state);
    replace(picture, axes(state), curves(state), svg("g", { class: "tune-pointer" }));
    picture.setAttribute("width", state.width);
    picture.setAttribute("viewBox", `0 0 ${state.width} ${HEIGHT}`);
    replace(legend, legendOf(state));
    replace(table, evalRows(state.evals));
    point(state, { frame, picture, tip });
  };
  const show = (figures) => {
    const last = figures.losses[figures.losses.length - 1];
    const drawn = `${figures.losses.length} ${last?.step} ${figures.evals.length} ${figures.total} ${figures.isLive}`;
    Object.assign(state, figures);
    if (drawn === state.drawn) return;
    state.drawn = drawn;
    draw();
  };
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width && width !== state.width) {
      state.width = width;
      draw();
    }
  });
  watcher.observe(element);
  signal.addEventListener("abort", () => watcher.disconnect());
  listenToPointer(state, { frame, picture, tip });
  return { element, show };
}

function smoothing(state, draw) {
  const told = el("output", { for: "tune-smoothing" }, Number(state.weight).toFixed(2));
  const input = el("input", {
    id: "tune-smoothing",
    type: "range",
    min: "0",
    max: "0.99",
    step: "0.01",
    value: state.weight,
    oninput: () => {
      state.weight = input.valueAsNumber;
      told.textContent = state.weight.toFixed(2);
      remember("smoothing", state.weight);
      draw();
    },
  });
  return el("div.tune-smoothing", {}, el("label.label", { for: "tune-smoothing" }, "Smoothing"), input, told);
}

function evalTable(rows) {
  const head = el(
    "thead",
    {},
    el("tr", {}, el("th.number", { scope: "col" }, "Step"), el("th.number", { scope: "col" }, "Validation loss")),
  );
  return el(
    "details.tune-table",
    {},
    el("summary", {}, "Validation losses as a table"),
    el("div.table-frame", {}, el("table", {}, head, rows)),
  );
}

function evalRows(evals) {
  if (!evals.length) return el("tr", {}, el("td", { colspan: "2" }, "None yet."));
  return evals.map((one) => el("tr", {}, el("td.number", {}, String(one.step)), el("td.number", {}, figure(one.loss))));
}

function listenToPointer(state, parts) {
  const { frame, picture } = parts;
  const points = () => (state.losses.length ? state.losses : state.evals);
  const choose = (index) => {
    const all = points();
    if (!all.length) return;
    state.at = all[Math.max(0, Math.min(all.length - 1, index))].step;
    point(state, parts);
  };
  const now = () => (state.at === null ? points().length - 1 : nearest(points(), state.at));
  picture.addEventListener("pointermove", (event) => {
    if (!state.scales) return;
    const inside = event.clientX - picture.getBoundingClientRect().left - MARGIN.left;
    choose(nearest(points(), (inside / (state.width - MARGIN.left - MARGIN.right)) * state.scales.last));
  });
  picture.addEventListener("pointerleave", () => document.activeElement !== frame && leave(state, parts));
  frame.addEventListener("focus", () => frame.matches(":focus-visible") && choose(now()));
  frame.addEventListener("blur", () => leave(state, parts));
  frame.addEventListener("keydown", (event) => {
    const far = Math.max(1, Math.round(points().length / 20));
    const steps = {
      ArrowRight: 1,
      ArrowUp: 1,
      ArrowLeft: -1,
      ArrowDown: -1,
      PageUp: far,
      PageDown: -far,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(now() + steps[event.key]);
  });
}

function leave(state, parts) {
  state.at = null;
  point(state, parts);
}

/** Shows what stands at the chosen step: a line, a dot on each curve, and their figures. */
function point(state, { frame, picture, tip }) {
  const { losses, evals, scales, at } = state;
  const points = losses.length ? losses : evals;
  const index = nearest(points, at ?? Number.MAX_SAFE_INTEGER);
  if (index < 0 || !scales) return;
  const step = points[index].step;
  const words = wordsAt(state, losses.length ? index : -1, step);
  frame.setAttribute("aria-valuemax", String(scales.last));
  frame.setAttribute("aria-valuenow", String(step));
  frame.setAttribute("aria-valuetext", words.join(", "));
  tip.hidden = at === null;
  const group = picture.querySelector(".tune-pointer");
  if (at === null) return void replace(group);
  const x = scales.x(step);
  const dots = [state.smooth?.[index], evals.find((one) => one.step === step)].filter(
    (one) => one && Number.isFinite(one.loss),
  );
  replace(
    group,
    svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
    dots.map((one) => svg("circle", { cx: x, cy: scales.y(one.loss), r: 4 })),
  );
  replace(
    tip,
    words.map((one) => el("p", {}, one)),
  );
  const isRight = x > state.width / 2;
  tip.classList.toggle("is-left", isRight);
  tip.style.setProperty("--x", `${x}px`);
}

function wordsAt({ losses, smooth, evals, weight }, index, step) {
  const evaluated = evals.find((one) => one.step === step);
  const words = [`step ${step.toLocaleString("en")}`];
  if (index >= 0) words.push(`training ${figure(losses[index].loss)}`);
  if (index >= 0 && weight > 0) words.push(`running mean ${figure(smooth[index].loss)}`);
  if (evaluated) words.push(`validation ${figure(evaluated.loss)}`);
  return words;
}
