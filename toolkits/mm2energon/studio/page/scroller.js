// A list of any length in which only the rows in sight are elements.
//
// Browsers cap the height of an element (Firefox at some 17 million pixels), a million rows are taller. So a long list
// is drawn on a canvas of capped height: at both ends pixels stand for pixels, in the middle a pixel of the bar stands
// for several; small movements are taken as they are everywhere, and the bar is put right when the list rests.

const HIGHEST = 12_000_000;
const EDGE = 2_000_000;
const OVERSCAN = 6;
const RESTS_AFTER_MS = 160;

export class Scroller {
  /** `draw(index, node)` makes a row's element or fills it anew, `onRange(first, last)` hears what is in sight. */
  constructor({ viewport, canvas, rowHeight, draw, onRange }) {
    Object.assign(this, { viewport, canvas, rowHeight, draw, onRange });
    this.count = 0;
    this.top = 0;
    this.lastScroll = 0;
    this.nodes = new Map();
    viewport.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(viewport);
  }

  get height() {
    return this.count * this.rowHeight;
  }

  get canvasHeight() {
    return Math.min(this.height, HIGHEST);
  }

  get isScaled() {
    return this.height > HIGHEST;
  }

  setCount(count) {
    if (count === this.count) return this.place();
    this.count = count;
    this.canvas.style.height = `${this.canvasHeight}px`;
    this.top = this.clamp(this.top);
    this.viewport.scrollTop = this.lastScroll = this.toScroll(this.top);
    return this.place();
  }

  setRowHeight(rowHeight) {
    const first = Math.floor(this.top / this.rowHeight);
    this.rowHeight = rowHeight;
    this.canvas.style.height = `${this.canvasHeight}px`;
    this.moveTo(first * rowHeight);
    this.redraw();
  }

  /** A hidden list forgets where it was scrolled to, and cannot be scrolled: both is made up for when it is shown. */
  resized() {
    if (this.isHidden) return;
    this.moveTo(this.top);
    if (this.toReveal !== undefined) this.reveal(this.toReveal);
    this.toReveal = undefined;
  }

  get isHidden() {
    return this.viewport.clientHeight === 0;
  }

  /** Brings a row into sight, moving as little as needed. */
  reveal(index) {
    if (this.isHidden) return void (this.toReveal = index);
    const [from, to] = [index * this.rowHeight, (index + 1) * this.rowHeight];
    const shown = this.viewport.clientHeight;
    if (from < this.top) this.moveTo(from);
    else if (to > this.top + shown) this.moveTo(to - shown);
  }

  /** Puts a row in the middle of the sight, unless it is in sight already. */
  centre(index) {
    if (this.isHidden) return void (this.toReveal = index);
    const from = index * this.rowHeight;
    const shown = this.viewport.clientHeight;
    if (from < this.top || from + this.rowHeight > this.top + shown) this.moveTo(from - (shown - this.rowHeight) / 2);
  }

  /** Brings the rows in sight up to date; the elements stay, so that a click in progress meets its row. */
  redraw() {
    for (const [index, node] of this.nodes) this.draw(index, node);
    this.place();
  }

  node(index) {
    return this.nodes.get(index);
  }

  moveTo(top) {
    this.top = this.clamp(top);
    this.viewport.scrollTop = this.toScroll(this.top);
    this.lastScroll = this.viewport.scrollTop;
    this.place();
  }

  scrolled() {
    if (this.isHidden) return;
    const now = this.viewport.scrollTop;
    const moved = now - this.lastScroll;
    this.lastScroll = now;
    const isSmall = Math.abs(moved) < 2 * this.viewport.clientHeight;
    const inMiddle = this.isScaled && now > EDGE && now < this.canvasHeight - EDGE;
    if (inMiddle && isSmall) this.top = this.clamp(this.top + moved);
    else this.top = this.toTop(now);
    this.place();
    clearTimeout(this.rest);
    if (inMiddle) this.rest = setTimeout(() => this.moveTo(this.top), RESTS_AFTER_MS);
  }

  place() {
    const first = Math.max(0, Math.floor(this.top / this.rowHeight) - OVERSCAN);
    const last = Math.min(
      this.count - 1,
      Math.ceil((this.top + this.viewport.clientHeight) / this.rowHeight) + OVERSCAN,
    );
    for (const [index, node] of this.nodes) {
      if (index >= first && index <= last) continue;
      node.remove();
      this.nodes.delete(index);
    }
    // From below, so that each has its neighbour to stand before: the elements' order is the rows'.
    for (let index = last; index >= first; index -= 1) {
      const node = this.nodes.get(index) ?? this.add(index);
      node.style.transform = `translateY(${this.lastScroll + index * this.rowHeight - this.top}px)`;
    }
    this.onRange(first, last);
  }

  add(index) {
    const node = this.draw(index);
    this.nodes.set(index, node);
    this.canvas.insertBefore(node, this.nodes.get(index + 1) ?? null);
    return node;
  }

  clamp(top) {
    return Math.max(0, Math.min(top, this.height - this.viewport.clientHeight));
  }

  toTop(scroll) {
    if (!this.isScaled || scroll <= EDGE) return this.clamp(scroll);
    const far = this.canvasHeight - EDGE;
    if (scroll >= far) return this.clamp(this.height - (this.canvasHeight - scroll));
    return EDGE + ((scroll - EDGE) / (far - EDGE)) * (this.height - 2 * EDGE);
  }

  toScroll(top) {
    if (!this.isScaled || top <= EDGE) return top;
    if (top >= this.height - EDGE) return this.canvasHeight - (this.height - top);
    return EDGE + ((top - EDGE) / (this.height - 2 * EDGE)) * (this.canvasHeight - 2 * EDGE);
  }
}
