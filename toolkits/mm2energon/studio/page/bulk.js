// The bar under the list while entries are marked: how many, and what to do with all of them at once.

import { count, el, replace } from "./dom.js";
import { icon } from "./icons.js";

export class BulkBar {
  /** `size()`: how many are marked; `total()`: of the view; `run(do)`; `onAll()`, `onClear()`. */
  constructor({ size, total, run, onAll, onClear }) {
    Object.assign(this, { size, total, run, onAll, onClear });
    this.text = el("span.bulk-text", { "aria-live": "polite" });
    this.all = el("button.quiet.bulk-all", { type: "button", onclick: onAll });
    this.node = el(
      "div.bulk",
      { role: "toolbar", "aria-label": "Marked entries", hidden: true },
      this.head(),
      this.buttons(),
    );
  }

  head() {
    const clear = el(
      "button.icon-button",
      { type: "button", title: "Unmark (Esc)", "aria-label": "Unmark all", onclick: this.onClear },
      icon("close"),
    );
    return el("div.bulk-head", {}, this.text, this.all, clear);
  }

  buttons() {
    const button = (verb, title, key, className = "") =>
      el(
        "button",
        { type: "button", title: `${title} the marked (${key})`, class: className, onclick: () => this.run(verb) },
        icon(verb, 18),
        title,
      );
    return el(
      "div.bulk-buttons",
      {},
      button("accept", "Accept", "Shift+A", "action-accept"),
      button("reject", "Reject", "Shift+R", "action-reject"),
      button("reset", "Reset", "Shift+X"),
    );
  }

  draw() {
    const marked = this.size();
    const total = this.total();
    this.node.hidden = marked === 0;
    replace(this.text, `${count(marked, "entry", "entries")} marked`);
    this.all.hidden = marked >= total;
    replace(this.all, `All ${total.toLocaleString("en")}`);
  }
}
