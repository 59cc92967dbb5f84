// The frames that training sees, in a row with their numbers and times; only those in sight are elements.

import { address } from "./api.js";
import { el } from "./dom.js";
import { clock } from "./texts.js";

const CELL = 104;
const OVERSCAN = 4;

export class Strip {
  /** `onPick(frame)` when a frame is chosen. Frames: {number, time, url, width, height}, ordered by time. */
  constructor(frames, { label, onPick }) {
    Object.assign(this, { frames, onPick });
    this.cells = new Map();
    this.active = 0;
    this.canvas = el("div.strip-canvas", { role: "presentation" });
    this.canvas.style.width = `${frames.length * CELL}px`;
    const roles = { role: "listbox", tabindex: "0", "aria-label": label, "aria-orientation": "horizontal" };
    this.node = el("div.strip", roles, this.canvas);
    this.node.addEventListener("scroll", () => this.place(), { passive: true });
    this.node.addEventListener("click", (event) => this.pick(event.target.closest(".frame")?.index));
    this.node.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.place()).observe(this.node);
  }

  /** Marks the frame that is on the screen at a time, and keeps it in sight. */
  setTime(seconds) {
    this.setActive(this.indexAt(seconds));
  }

  /** The frame that is on the screen at a time. */
  at(seconds) {
    return this.frames[this.indexAt(seconds)] ?? null;
  }

  /** The time of the frame before (-1) or after (1) a time; null at the ends. */
  beside(seconds, direction) {
    const at = this.indexAt(seconds);
    const isBetween = direction < 0 && seconds > this.frames[at]?.time + 0.01;
    return this.frames[isBetween ? at : at + direction]?.time ?? null;
  }

  indexAt(seconds) {
    let [low, high] = [0, this.frames.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      // Times are rounded on their way through the player.
      if (this.frames[middle].time <= seconds + 0.002) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  setActive(index) {
    if (index === this.active && this.cells.has(index)) return this.mark();
    this.active = index;
    const [from, shown] = [index * CELL, this.node.clientWidth];
    if (from < this.node.scrollLeft || from + CELL > this.node.scrollLeft + shown)
      this.node.scrollLeft = from - (shown - CELL) / 2;
    this.place();
    return this.mark();
  }

  place() {
    const first = Math.max(0, Math.floor(this.node.scrollLeft / CELL) - OVERSCAN);
    const last = Math.min(
      this.frames.length - 1,
      Math.ceil((this.node.scrollLeft + this.node.clientWidth) / CELL) + OVERSCAN,
    );
    for (const [index, cell] of this.cells) {
      if (index >= first && index <= last) continue;
      cell.remove();
      this.cells.delete(index);
    }
    for (let index = last; index >= first; index -= 1) if (!this.cells.has(index)) this.add(index);
    this.mark();
  }

  add(index) {
    const { time, url } = this.frames[index];
    // As the files of extracted frames are counted: 000001.jpg is the first.
    const number = index + 1;
    const image = el("img", { src: address(url), alt: "", width: 96, height: 54, loading: "lazy", decoding: "async" });
    const label = el("span.frame-label", {}, el("span", {}, `#${number}`), el("span", {}, clock(time)));
    const roles = { role: "option", id: `${this.prefix()}${index}`, "aria-label": `Frame ${number} at ${clock(time)}` };
    const cell = el(
      "div.frame",
      { ...roles, "aria-posinset": index + 1, "aria-setsize": this.frames.length },
      image,
      label,
    );
    image.addEventListener("error", () => cell.classList.add("frame-broken"));
    cell.index = index;
    cell.style.insetInlineStart = `${index * CELL}px`;
    this.cells.set(index, cell);
    this.canvas.insertBefore(cell, this.cells.get(index + 1) ?? null);
  }

  mark() {
    for (const [index, cell] of this.cells) cell.setAttribute("aria-selected", String(index === this.active));
    if (this.cells.has(this.active)) this.node.setAttribute("aria-activedescendant", `${this.prefix()}${this.active}`);
    else this.node.removeAttribute("aria-activedescendant");
  }

  pick(index) {
    if (index === undefined) return;
    this.setActive(index);
    this.onPick(this.frames[index]);
  }

  pressed(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity, PageDown: 5, PageUp: -5 };
    if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in steps)) return;
    this.pick(Math.max(0, Math.min(this.frames.length - 1, this.active + steps[event.key])));
    event.preventDefault();
    event.stopPropagation();
  }

  prefix() {
    this.id ??= `strip-${Math.random().toString(36).slice(2, 8)}-`;
    return this.id;
  }
}
