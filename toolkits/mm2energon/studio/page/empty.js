// What stands where nothing is to be shown: an icon, a sentence, what to do.

import { el } from "./dom.js";
import { icon } from "./icons.js";

export function emptyState({ icon: name = "file", title, text = "", actions = [] }) {
  return el(
    "div.empty",
    {},
    el("div.empty-icon", {}, icon(name, 28)),
    el("h2", {}, title),
    text && el("p", { dir: "auto" }, text),
    actions.length > 0 && el("div.empty-actions", {}, actions),
  );
}

/** Grey lines in the shape of what is on its way; `lines` are their widths in per cent (of 20, 40, 60, 80, 100). */
export function skeleton(lines = [60, 100, 80], label = "Loading") {
  return el(
    "div.skeleton",
    { role: "status" },
    el("span.unseen", {}, label),
    lines.map((width) => el("div", { class: `w${width}` })),
  );
}
