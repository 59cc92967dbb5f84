// Why an entry is rejected: the usual reasons by number, or one's own words.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { recall, remember } from "./memory.js";

const OWN_KEPT = 5;

/** Asks for a reason; null when it was left, "" for none. */
export function askReason({ reasons, title = "Reject", what = "" }) {
  const own = recall("own-reasons", []).filter((one) => !reasons.includes(one));
  const offered = [...reasons, ...own].slice(0, 9 + OWN_KEPT);
  return openDialog({
    title,
    build: (close) => {
      const finish = (reason) => {
        keepOwn(reason, reasons);
        close({ reason });
      };
      return form(offered, what, finish);
    },
  }).then((answer) => answer && answer.reason);
}

function form(offered, what, finish) {
  // Where a finger points, a keyboard on the screen would hide the reasons.
  const byTouch = window.matchMedia("(pointer: coarse)").matches;
  const input = el("input", {
    type: "text",
    name: "reason",
    maxlength: "500",
    autocomplete: "off",
    autofocus: !byTouch,
    "aria-describedby": "reason-hint",
  });
  const buttons = offered.map((reason, at) =>
    el(
      "button.reason-choice",
      { type: "button", autofocus: byTouch && at === 0, onclick: () => finish(reason) },
      el("bdi", {}, reason),
      at < 9 && el("kbd", { "aria-hidden": "true" }, at + 1),
    ),
  );
  const send = (event) => {
    event.preventDefault();
    finish(input.value.trim());
  };
  // A number picks a reason while nothing is written yet.
  const pick = (event) => {
    const at = Number(event.key) - 1;
    if (event.ctrlKey || event.metaKey || event.altKey || input.value || !(at >= 0 && at < Math.min(9, offered.length)))
      return;
    event.preventDefault();
    finish(offered[at]);
  };
  return el(
    "form",
    { onsubmit: send, onkeydown: pick },
    el(
      "div.body",
      {},
      what && el("p.dim", { dir: "auto" }, what),
      el("label.field", {}, el("span", {}, "Reason"), input),
      el("p.hint", { id: "reason-hint" }, "Write one, press a number, or leave it empty."),
      el("div.reason-choices", { role: "group", "aria-label": "Usual reasons" }, buttons),
    ),
    el("footer", {}, el("button.danger", { type: "submit" }, "Reject")),
  );
}

function keepOwn(reason, usual) {
  if (!reason || usual.includes(reason)) return;
  const before = recall("own-reasons", []).filter((one) => one !== reason);
  remember("own-reasons", [reason, ...before].slice(0, OWN_KEPT));
}
