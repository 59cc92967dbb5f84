// Plots, drawn as SVG: bars and columns that begin at zero, with their numbers, and a table of the same beside.

import { el, replace, svg } from "./dom.js";

const LINE = 26;
const LABEL = 150;
const VALUE = 64;
const HEIGHT = 190;
const LEFT = 46;
const BOTTOM = 24;
const TICKS = 4;
const WIDEST = 72;

/** Series in the order in which they are stacked; each has its colour in CSS as `.series-<name>`. */
export const STATUSES = ["accepted", "rejected", "disputed", "pending"];

/**
 * A figure: its title, its plot, and a table with the same numbers.
 *
 * `draw(width)` returns the SVG; it is drawn again when the width changes. `table`: {head, rows}.
 */
export function figure({ title, note = "", series = [], draw, table }) {
  const box = el("div.plot");
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(box.clientWidth);
    if (width < 40 || width === drawn) return;
    drawn = width;
    replace(box, draw(width));
  };
  new ResizeObserver(redraw).observe(box);
  return el(
    "figure.card.figure",
    {},
    el("figcaption", {}, el("h2", {}, title), note && el("p.hint", {}, note)),
    series[0] !== "count" && legend(series),
    box,
    el("details.figure-table", {}, el("summary", {}, "As a table"), tableOf(title, table)),
  );
}

/** Horizontal bars, one for each row: {label, parts: {series: number}}. */
export function bars(rows, series, width, label) {
  const labelWidth = Math.min(LABEL, Math.floor(width * 0.34));
  const room = width - labelWidth - VALUE;
  const most = Math.max(1, ...rows.map(totalOf));
  const nodes = rows.map((row, at) => {
    let x = labelWidth;
    const segments = series.map((name) => {
      const size = ((row.parts[name] ?? 0) / most) * room;
      const segment =
        size > 0 &&
        svg(
          "rect",
          { class: `series-${name}`, x, y: at * LINE + 4, width: Math.max(1, size - 1), height: LINE - 8, rx: 2 },
          svg("title", {}, `${row.label}: ${name} ${row.parts[name].toLocaleString("en")}`),
        );
      x += size;
      return segment;
    });
    return [
      text(fit(row.label, labelWidth), {
        x: labelWidth - 8,
        y: at * LINE + 17,
        class: "plot-label",
        "text-anchor": "end",
      }),
      segments,
      text(totalOf(row).toLocaleString("en"), { x: x + 6, y: at * LINE + 17, class: "plot-value" }),
    ];
  });
  return chart(width, rows.length * LINE, label, nodes);
}

/** Columns side by side from zero: {label, parts}; every label that has room is written. */
export function columns(rows, series, width, label) {
  const most = Math.max(1, ...rows.map(totalOf));
  const step = niceStep(most / TICKS);
  const top = Math.ceil(most / step) * step;
  const [room, high] = [width - LEFT - 8, HEIGHT - BOTTOM - 8];
  const y = (value) => 8 + high * (1 - value / top);
  const wide = Math.min(WIDEST, room / rows.length);
  const every = Math.ceil(longest(rows) / wide);
  const grid = [];
  for (let value = 0; value <= top; value += step) {
    grid.push(
      svg("line", {
        class: value === 0 ? "plot-base" : "plot-grid",
        x1: LEFT,
        x2: width - 8,
        y1: y(value),
        y2: y(value),
      }),
    );
    grid.push(
      text(value.toLocaleString("en"), { x: LEFT - 6, y: y(value) + 4, class: "plot-tick", "text-anchor": "end" }),
    );
  }
  const nodes = rows.map((row, at) => {
    let under = 0;
    const parts = series.map((name) => {
      const value = row.parts[name] ?? 0;
      const part =
        value > 0 &&
        svg(
          "rect",
          {
            class: `series-${name}`,
            x: LEFT + at * wide + gap(wide),
            y: y(under + value),
            width: Math.max(1, wide - 2 * gap(wide)),
            height: Math.max(1, y(under) - y(under + value)),
          },
          svg("title", {}, `${row.label}: ${series.length > 1 ? `${name} ` : ""}${value.toLocaleString("en")}`),
        );
      under += value;
      return part;
    });
    return [parts, at % every === 0 && tick(row.label, LEFT + (at + 0.5) * wide, width)];
  });
  return chart(width, HEIGHT, label, [grid, nodes]);
}

/** A table: `head` titles, `rows` of a name and numbers. */
function tableOf(title, { head, rows }) {
  return el(
    "div.table-frame",
    { tabindex: "0", role: "region", "aria-label": title },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head.map((one, at) => el(at ? "th.number" : "th", { scope: "col" }, one)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map(([name, ...values]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, el("bdi", {}, name)),
            values.map((value) => el("td.number", {}, typeof value === "number" ? value.toLocaleString("en") : value)),
          ),
        ),
      ),
    ),
  );
}

export function totalOf(row) {
  return Object.values(row.parts).reduce((sum, one) => sum + one, 0);
}

function legend(series) {
  return el(
    "ul.legend",
    { "aria-label": "Colours" },
    series.map((name) =>
      el(
        "li",
        {},
        svg(
          "svg",
          { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" },
          svg("rect", { class: `series-${name}`, width: 10, height: 10, rx: 2 }),
        ),
        name,
      ),
    ),
  );
}

function chart(width, height, label, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, children);
}

/** A label under its column; at the edge it is moved in, so that nothing of it is cut off. */
function tick(label, x, width) {
  const half = label.length * 3.2;
  return text(label, { x: Math.min(x, width - half), y: HEIGHT - 6, class: "plot-tick", "text-anchor": "middle" });
}

function text(content, attributes) {
  return svg("text", attributes, content);
}

/** 1, 2 or 5 times a power of ten, and whole: counts have no halves. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  return Math.max(1, [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? power * 10);
}

function gap(wide) {
  return Math.min(3, wide * 0.12);
}

/** Pixels that the longest label takes, about. */
function longest(rows) {
  return 14 + 7 * Math.max(...rows.map((row) => row.label.length));
}

const ruler = document.createElement("canvas").getContext("2d");

/** A label as far as there is room for it, by the widths of its letters. */
function fit(label, width) {
  ruler.font = `13px ${getComputedStyle(document.body).fontFamily}`;
  const letters = [...(label || "(none)")].slice(0, 100);
  const isWide = (count) => ruler.measureText(letters.slice(0, count).join("")).width > width - 24;
  if (!isWide(letters.length)) return letters.join("");
  let most = letters.length - 1;
  while (most > 1 && isWide(most)) most -= 1;
  return `${letters.slice(0, most).join("")}…`;
}
