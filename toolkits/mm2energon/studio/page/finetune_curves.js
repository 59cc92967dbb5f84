// What the loss chart is drawn of: its scales, its axes with their units, its lines, and what each line is.

import { el, svg } from "./dom.js";
import { line, niceRange, roundTicks, thinned } from "./finetune_scale.js";

export const HEIGHT = 280;
export const MARGIN = { top: 14, right: 14, bottom: 40, left: 52 };
const MOST_POINTS = 1200;

export function scalesOf(state) {
  const values = [...state.losses, ...state.evals].map((one) => one.loss);
  const steps = [...state.losses, ...state.evals].map((one) => one.step);
  const last = Math.max(state.total, ...(steps.length ? [steps.reduce((a, b) => Math.max(a, b))] : [1]));
  const [low, high] = niceRange(values);
  const x = line([0, Math.max(1, last)], [MARGIN.left, state.width - MARGIN.right]);
  const y = line([low, high], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  return { x, y, last: Math.max(1, last), low, high };
}

export function axes({ scales: { x, y, last, low, high }, width }) {
  const bottom = HEIGHT - MARGIN.bottom;
  const across = roundTicks(low, high, 4).map((value) => [
    svg("line", { class: "tune-grid-line", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
    svg("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const along = roundTicks(0, last, width < 480 ? 4 : 8, { whole: true }).map((step) =>
    svg("text", { x: x(step), y: bottom + 17, "text-anchor": "middle" }, step.toLocaleString("en")),
  );
  const titles = [
    svg(
      "text",
      { class: "tune-axis-title", x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" },
      "optimizer steps",
    ),
    svg(
      "text",
      {
        class: "tune-axis-title",
        transform: `translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)`,
        "text-anchor": "middle",
      },
      "loss (nats per token)",
    ),
  ];
  return svg("g", { class: "tune-axes" }, across, along, titles);
}

export function curves({ losses, smooth, evals, weight, scales }) {
  const dots = evals
    .filter((one) => Number.isFinite(one.loss))
    .map((one) => svg("circle", { class: "tune-eval-dot", cx: scales.x(one.step), cy: scales.y(one.loss), r: 3.5 }));
  const raw = svg("path", { class: weight > 0 ? "tune-raw" : "tune-train", d: pathOf(losses, scales) });
  return [
    raw,
    weight > 0 ? svg("path", { class: "tune-train", d: pathOf(smooth, scales) }) : null,
    svg("path", { class: "tune-eval", d: pathOf(evals, scales) }),
    dots,
  ];
}

/** The points as a path; where a loss is no number the line is broken. */
function pathOf(points, { x, y }) {
  let isOpen = false;
  return thinned(points, MOST_POINTS)
    .map(({ step, loss }) => {
      const command = !Number.isFinite(loss) ? "" : `${isOpen ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`;
      isOpen = command !== "";
      return command;
    })
    .join("");
}

export function legendOf({ weight, evals }) {
  const mark = (kind) => el(`span.tune-mark.${kind}`, { "aria-hidden": "true" });
  const training = weight > 0 ? `training, running mean (each step weighs ${(1 - weight).toFixed(2)})` : "training";
  return [
    el("span", {}, mark("is-train"), training),
    weight > 0 && el("span", {}, mark("is-raw"), "training, each step"),
    evals.length > 0 && el("span", {}, mark("is-eval"), "validation"),
  ];
}
