// Decisions that did not reach the server: kept in this browser, in order, and sent when it answers again.

import { connection, get, post } from "./api.js";
import { recall, remember } from "./memory.js";

export class Outbox {
  /** `onSent(item)`, `onRefused(decision, error)`, `onChange()` hear what becomes of them. */
  constructor({ journal, onSent, onRefused, onChange, signal }) {
    Object.assign(this, { onSent, onRefused, onChange });
    this.name = `outbox.${journal}`;
    this.waiting = recall(this.name, []);
    connection.addEventListener("online", () => this.flush(), { signal });
  }

  has(identity) {
    return this.waiting.some((one) => one.identity === identity);
  }

  /** The last decision that waits for an entry, if any. */
  last(identity) {
    return this.waiting.findLast((one) => one.identity === identity) ?? null;
  }

  add(decision) {
    this.waiting.push(decision);
    this.save();
  }

  /** Takes back what waits for an entry; true when there was something. */
  takeBack(identity) {
    const at = this.waiting.findLastIndex((one) => one.identity === identity);
    if (at < 0) return false;
    this.waiting.splice(at, 1);
    this.save();
    return true;
  }

  /** Sends what waits; stops at the first that the server does not answer. */
  async flush() {
    if (this.isSending) return;
    this.isSending = true;
    try {
      while (this.waiting.length && (await this.sendFirst()));
    } finally {
      this.isSending = false;
    }
  }

  async sendFirst() {
    const [decision] = this.waiting;
    try {
      const item = await this.send(decision);
      this.drop(decision);
      this.onSent(item);
    } catch (error) {
      if (error.isOffline || error.status === 401) return false;
      this.drop(decision);
      this.onRefused(decision, error);
    }
    return true;
  }

  /** The data may have been opened anew since: the entry must still be the one that was decided on. */
  async send({ number, identity, body }) {
    const now = await get(`/api/items/${number}`);
    if (now.identity !== identity) throw new Error(`Entry ${number} is another one by now; decide on it again.`);
    return post(`/api/items/${number}/decision`, body);
  }

  drop(decision) {
    this.waiting = this.waiting.filter((one) => one !== decision);
    this.save();
  }

  save() {
    remember(this.name, this.waiting);
    this.onChange();
  }
}
