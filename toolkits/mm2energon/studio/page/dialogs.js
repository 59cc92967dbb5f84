// Dialogs on the browser's own <dialog>: it holds the focus and gives it back, Esc closes it.

import { el } from "./dom.js";
import { icon } from "./icons.js";

let serial = 0;

/**
 * Opens a dialog and returns what it was closed with (null when it was left).
 *
 * `build(close)` returns the nodes of its content; `close(value)` ends it. `actions` stand at its foot.
 */
export function openDialog({ title, build, wide = false, className = "" }) {
  const id = `dialog-${++serial}`;
  const returnTo = document.activeElement;
  return new Promise((resolve) => {
    const close = (value = null) => {
      node.returned = value;
      node.close();
    };
    const heading = el(
      "header",
      {},
      el("h2", { id }, title),
      el("button.icon-button", { type: "button", "aria-label": "Close", onclick: () => close() }, icon("close")),
    );
    const node = el(
      "dialog",
      { "aria-labelledby": id, class: `${wide ? "wide" : ""} ${className}` },
      heading,
      build(close),
    );
    node.addEventListener("click", (event) => event.target === node && close());
    node.addEventListener("close", () => {
      node.remove();
      if (returnTo?.isConnected) returnTo.focus({ preventScroll: true });
      resolve(node.returned ?? null);
    });
    document.body.append(node);
    node.showModal();
    (node.querySelector("[autofocus]") ?? node.querySelector("input, select, textarea, .body button"))?.focus();
  });
}

/** Asks; true when it was agreed to. */
export async function confirm({ title, text, yes = "Yes", no = "Cancel", danger = false }) {
  const answer = await openDialog({
    title,
    build: (close) => [
      el("div.body", {}, el("p", { dir: "auto" }, text)),
      el(
        "footer",
        {},
        el("button", { type: "button", onclick: () => close(false) }, no),
        el(
          "button",
          { type: "button", class: danger ? "danger" : "primary", autofocus: true, onclick: () => close(true) },
          yes,
        ),
      ),
    ],
  });
  return answer === true;
}

/** Leaves what is open: it asks about what is not shown any more. */
export function closeDialogs() {
  for (const node of document.querySelectorAll("dialog[open]")) node.close();
}

export function dialogIsOpen() {
  return document.querySelector("dialog[open]") !== null;
}
