// Which entries are marked for a bulk action: some numbers, or all of the view.

const MOST_NUMBERS = 20_000;

export class Selection {
  constructor(onChange) {
    this.numbers = new Set();
    this.all = false;
    this.anchor = null;
    this.onChange = onChange;
  }

  has(number) {
    return this.all || this.numbers.has(number);
  }

  size(viewCount) {
    return this.all ? viewCount : this.numbers.size;
  }

  /** Marks or unmarks one; the place it stands at is where a range begins. */
  toggle(number, index) {
    if (this.all) this.clear({ silently: true });
    if (!this.numbers.delete(number)) this.numbers.add(number);
    this.anchor = index;
    this.onChange();
  }

  /** Marks from the anchor to a place. False when that is more than a list of numbers should hold. */
  async extendTo(index, rows) {
    const anchor = this.anchor ?? index;
    const [first, last] = [Math.min(anchor, index), Math.max(anchor, index)];
    if (last - first + 1 > MOST_NUMBERS) return false;
    const numbers = await rows.numbers(first, last);
    this.all = false;
    this.anchor = anchor;
    numbers.forEach((number) => this.numbers.add(number));
    this.onChange();
    return true;
  }

  selectAll() {
    this.numbers.clear();
    this.all = true;
    this.onChange();
  }

  clear({ silently = false } = {}) {
    this.numbers.clear();
    this.all = false;
    this.anchor = null;
    if (!silently) this.onChange();
  }
}
