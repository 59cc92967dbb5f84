// Short messages: seen in a corner for a while, and told to those who listen instead of look.

import { el } from "./dom.js";
import { icon } from "./icons.js";

const SECONDS_SHOWN = { good: 4, note: 6, bad: 12 };
const KEPT = 4;

/** Says something to screen readers alone. */
export function announce(text, { urgent = false } = {}) {
  const region = document.getElementById(urgent ? "assertive" : "polite");
  // The same words twice are told twice only when the text changes in between.
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 30);
}

/**
 * Shows a message. Kinds: "good", "note", "bad" (stays longer, told at once).
 *
 * `action` is a button in it: `{title, run}`. It stays while it is pointed at or focused.
 */
export function toast(text, { kind = "note", action = null } = {}) {
  const box = document.getElementById("toasts");
  const close = () => node.remove();
  const button = action && el("button.quiet", { type: "button", onclick: () => (close(), action.run()) }, action.title);
  const node = el(
    "div.toast",
    { class: `toast-${kind}` },
    icon({ good: "accept", bad: "warning" }[kind] ?? "review", 18),
    el("p", { dir: "auto" }, text),
    button,
    el("button.icon-button", { type: "button", "aria-label": "Close this message", onclick: close }, icon("close", 16)),
  );
  for (const same of [...box.children].filter((one) => one.querySelector("p").textContent === text)) same.remove();
  box.append(node);
  while (box.children.length > KEPT) box.firstElementChild.remove();
  announce(text, { urgent: kind === "bad" });
  leaveLater(node, SECONDS_SHOWN[kind] ?? SECONDS_SHOWN.note);
  return close;
}

function leaveLater(node, seconds) {
  let timer = setTimeout(() => node.remove(), seconds * 1000);
  const stay = () => clearTimeout(timer);
  const go = () => (timer = setTimeout(() => node.remove(), 3000));
  node.addEventListener("pointerenter", stay);
  node.addEventListener("focusin", stay);
  node.addEventListener("pointerleave", go);
  node.addEventListener("focusout", go);
}
