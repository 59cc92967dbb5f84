// The rows of a view, fetched by pages when they come into sight; a view of a million rows holds a few of them.

import { get } from "./api.js";

const PAGE = 100;
const KEPT_PAGES = 40;
const MOST_AT_ONCE = 1000;

/** Rows of one view of the server, by their place in it. */
export class Rows {
  /** `onRows()` is called when rows have come, `onProblem(error)` when they could not. */
  constructor({ view, count, onRows, onProblem, signal }) {
    Object.assign(this, { view, count, onRows, onProblem, signal });
    this.pages = new Map();
    this.stale = new Set();
    this.onTheWay = new Map();
  }

  /** The row at a place, or undefined when it has not come yet. */
  at(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Sees that the rows from `first` to `last` come. */
  want(first, last) {
    for (let page = Math.floor(Math.max(0, first) / PAGE); page * PAGE <= Math.min(last, this.count - 1); page += 1) {
      if (!this.pages.has(page) || this.stale.has(page)) this.fetchPage(page).catch(() => {});
      else this.touch(page);
    }
  }

  /** The row at a place, fetched when it is not there. */
  async ensure(index) {
    if (!this.at(index)) await this.fetchPage(Math.floor(index / PAGE));
    return this.at(index);
  }

  /** The numbers of the rows from `first` to `last`. */
  async numbers(first, last) {
    const found = [];
    for (let offset = first; offset <= last; offset += MOST_AT_ONCE) {
      const limit = Math.min(MOST_AT_ONCE, last - offset + 1);
      const { rows } = await get(`/api/views/${this.view}/rows`, { query: { offset, limit }, signal: this.signal });
      found.push(...rows.map((row) => row.number));
    }
    return found;
  }

  /**
   * The place of an entry, or -1.
   *
   * Among the rows that are here; `ordered` views (by number) are searched on the server by halving.
   */
  async find(number, { ordered }) {
    for (const [page, rows] of this.pages) {
      const at = rows.findIndex((row) => row.number === number);
      if (at >= 0) return page * PAGE + at;
    }
    if (!ordered) return -1;
    let [low, high] = [0, Math.min(this.count - 1, number)];
    while (low <= high) {
      const middle = high === number && low === 0 ? high : (low + high) >> 1;
      const row = await this.ensure(middle);
      if (!row) return -1;
      if (row.number === number) return middle;
      if (row.number < number) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Changes a row that is here; for what this page knows before the server is asked again. */
  update(number, fields) {
    for (const rows of this.pages.values()) {
      const row = rows.find((one) => one.number === number);
      if (row) Object.assign(row, fields);
    }
  }

  /** Marks the pages of some entries (all without them) to be fetched again when they are looked at. */
  invalidate(numbers = null) {
    const changed = numbers && new Set(numbers);
    for (const [page, rows] of this.pages) {
      if (!changed || rows.some((row) => changed.has(row.number))) this.stale.add(page);
    }
  }

  async fetchPage(page) {
    if (!this.onTheWay.has(page))
      this.onTheWay.set(
        page,
        this.load(page).finally(() => this.onTheWay.delete(page)),
      );
    return this.onTheWay.get(page);
  }

  async load(page) {
    this.stale.delete(page);
    const query = { offset: page * PAGE, limit: PAGE };
    try {
      const { rows } = await get(`/api/views/${this.view}/rows`, { query, signal: this.signal });
      this.pages.set(page, rows);
      this.touch(page);
      this.onRows();
    } catch (error) {
      if (this.pages.has(page)) this.stale.add(page);
      if (error.name !== "AbortError") this.onProblem(error);
      throw error;
    }
  }

  /** The pages that were looked at longest ago are let go. */
  touch(page) {
    const rows = this.pages.get(page);
    this.pages.delete(page);
    this.pages.set(page, rows);
    while (this.pages.size > KEPT_PAGES) this.pages.delete(this.pages.keys().next().value);
  }
}
