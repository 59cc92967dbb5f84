// Who reviews: the name that decisions are written under, chosen once and remembered in this browser.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { recall, remember } from "./memory.js";

/** The reviewer of this browser: who was chosen here, else who the studio was started for. */
export function reviewerOf(session) {
  const chosen = recall("reviewer");
  const names = session.reviewers ?? [];
  if (chosen !== null && (names.length === 0 || names.includes(chosen))) return chosen;
  return session.reviewer ?? names[0] ?? "";
}

export function nameOf(reviewer) {
  return reviewer || "unnamed";
}

/** Whether decisions have to be told apart by person. */
export function hasSeveral(session) {
  return (session.reviewers ?? []).length > 1;
}

/** Opens the choice; tells the page when it changed. */
export async function askWhoIAm(session) {
  const chosen = await openDialog({ title: "Who reviews here?", build: (close) => form(session, close) });
  if (chosen === null || chosen === reviewerOf(session)) return;
  remember("reviewer", chosen);
  document.dispatchEvent(new CustomEvent("studio:reviewer"));
}

function form(session, close) {
  const me = reviewerOf(session);
  const options = (session.reviewers ?? []).map((name) =>
    el(
      "label.choice",
      {},
      el("input", { type: "radio", name: "reviewer", value: name, checked: name === me, autofocus: name === me }),
      el("bdi", {}, nameOf(name)),
    ),
  );
  const send = (event) => {
    event.preventDefault();
    close(new FormData(event.target).get("reviewer"));
  };
  const text =
    options.length > 1
      ? "Your decisions are kept under this name, and remembered in this browser."
      : "The studio was started for one reviewer. More are named with --reviewer, once for each.";
  return el(
    "form",
    { onsubmit: send },
    el(
      "div.body",
      {},
      el("p", {}, text),
      el("div.choices", { role: "radiogroup", "aria-label": "Reviewers" }, options),
    ),
    el("footer", {}, el("button.primary", { type: "submit" }, "That is me")),
  );
}
