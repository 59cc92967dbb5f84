// The list of entries: a list box with one open entry and any number of marked ones, by mouse, touch and keys.

import { el } from "./dom.js";
import { fillRow } from "./row.js";
import { Scroller } from "./scroller.js";

// As in list.css: in the size of the browser's text.
const ROW_REM = 5.125;
const ROW_REM_NARROW = 5.75;

export class List {
  /**
   * `onOpen(index, {from})` when a row is chosen, `onEnter()` when Enter goes on to the sample,
   * `onProblem(text)` when a range is too long; `marksOf(row)` gives {isDraft, waits}.
   */
  constructor({ selection, narrow, onOpen, onEnter, onProblem, marksOf, signal }) {
    Object.assign(this, { selection, onOpen, onEnter, onProblem, marksOf });
    this.rows = null;
    this.active = -1;
    this.canvas = el("div.list-canvas", { role: "presentation" });
    const label = { role: "listbox", tabindex: "0", "aria-label": "Entries", "aria-multiselectable": "true" };
    this.node = el("div.list", label, this.canvas);
    this.scroller = new Scroller({
      viewport: this.node,
      canvas: this.canvas,
      rowHeight: rowHeight(narrow),
      draw: (index, node) => this.draw(index, node),
      onRange: (first, last) => this.inSight(first, last),
    });
    const resize = () => this.scroller.setRowHeight(rowHeight(narrow));
    narrow.addEventListener("change", resize, { signal });
    this.node.addEventListener("click", (event) => this.clicked(event));
    this.node.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Shows the rows of a view; the open one is said by its place. */
  show(rows, active = -1) {
    this.rows = rows;
    this.active = active;
    this.scroller.setCount(rows.count);
    this.scroller.redraw();
  }

  redraw() {
    if (this.rows) this.scroller.redraw();
  }

  /** Marks the row at a place as the open one and brings it into sight. */
  setActive(index, { centre = false } = {}) {
    this.active = index;
    if (index >= 0) centre ? this.scroller.centre(index) : this.scroller.reveal(index);
    this.scroller.redraw();
  }

  focus() {
    this.node.focus({ preventScroll: true });
  }

  inSight(first, last) {
    this.rows?.want(first, last);
    const open = this.scroller.node(this.active);
    if (open) this.node.setAttribute("aria-activedescendant", open.id);
    else this.node.removeAttribute("aria-activedescendant");
  }

  draw(index, node = el("div.row", { role: "option", id: `row-${index}` })) {
    const row = this.rows?.at(index);
    const marks = row ? this.marksOf(row) : {};
    const isMarked = row ? this.selection.has(row.number) : this.selection.all;
    node.setAttribute("aria-selected", String(isMarked));
    node.setAttribute("aria-posinset", index + 1);
    node.setAttribute("aria-setsize", this.scroller.count);
    node.classList.toggle("row-open", index === this.active);
    if (index === this.active) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
    // Only what differs is built anew: a row keeps its elements while one presses on it.
    const content = row ? JSON.stringify([row, marks]) : "";
    if (node.content !== content) fillRow(node, row, marks);
    node.content = content;
    node.index = index;
    return node;
  }

  clicked(event) {
    const node = event.target.closest(".row");
    const row = node && this.rows.at(node.index);
    if (!row) return;
    this.focus();
    if (event.shiftKey) this.extend(node.index);
    else if (event.ctrlKey || event.metaKey || event.target.closest("[data-mark]"))
      this.selection.toggle(row.number, node.index);
    else this.onOpen(node.index, { from: "click" });
  }

  async extend(index) {
    if (this.selection.anchor === null) this.selection.anchor = Math.max(0, this.active);
    try {
      const done = await this.selection.extendTo(index, this.rows);
      if (!done) this.onProblem("That range is very long: mark all of the view instead, and narrow it with filters.");
    } catch (error) {
      this.onProblem(error.message);
    }
  }

  pressed(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.scroller.rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const { key } = event;
    if (event.altKey || !this.rows?.count) return;
    if (key in steps) {
      const to = Math.max(0, Math.min(this.rows.count - 1, this.active + steps[key]));
      if (event.shiftKey) this.extendTo(to);
      else this.onOpen(to, { from: "key" });
    } else if (key === " ") this.toggleActive();
    else if (key === "Enter") this.onEnter();
    else if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "a") this.selection.selectAll();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  extendTo(index) {
    if (this.selection.anchor === null) this.selection.anchor = Math.max(0, this.active);
    this.onOpen(index, { from: "key" });
    this.extend(index);
  }

  toggleActive() {
    const row = this.rows.at(this.active);
    if (row) this.selection.toggle(row.number, this.active);
  }
}

function rowHeight(narrow) {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  return rem * (narrow.matches ? ROW_REM_NARROW : ROW_REM);
}
