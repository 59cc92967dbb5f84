// Edits that are not saved yet, kept in this browser by entry: moving on, a reload or a crash loses none.

import { recall, remember } from "./memory.js";

export class Drafts {
  constructor(journal) {
    this.name = `drafts.${journal}`;
    this.all = recall(this.name, {});
  }

  has(identity) {
    return identity in this.all;
  }

  get(identity) {
    return this.all[identity] ?? null;
  }

  /** Keeps an edit: {turns, category}. False when this browser cannot hold it beyond the page's life. */
  put(identity, draft) {
    this.all[identity] = draft;
    return remember(this.name, this.all);
  }

  remove(identity) {
    if (!this.has(identity)) return;
    delete this.all[identity];
    remember(this.name, this.all);
  }

  get size() {
    return Object.keys(this.all).length;
  }
}
