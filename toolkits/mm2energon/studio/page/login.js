// The token's dialog, for a studio that is served beyond this machine.

import { connection, post } from "./api.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

let asking = null;

/** Asks for the token until the server takes it; one dialog however many requests were refused. */
export function logIn() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask() {
  while (!(await openDialog({ title: "This studio asks for its token", build: form }))) {
    // Left without a token: nothing works without it, so it is asked again.
  }
}

function form(close) {
  const input = el("input", {
    type: "password",
    name: "token",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
  });
  const problem = el("p.problem", { role: "alert" });
  const send = async (event) => {
    event.preventDefault();
    try {
      await post("/api/login", { token: input.value.trim() });
      close(true);
      // What waited for the token goes on, as after a lost connection.
      connection.dispatchEvent(new Event("online"));
    } catch (error) {
      problem.textContent = error.message;
      input.select();
    }
  };
  const hint = "Whoever started the studio gave it one, and can tell you.";
  return el(
    "form",
    { onsubmit: send },
    el("div.body", {}, el("p", {}, hint), el("label.field", {}, el("span", {}, "Token"), input), problem),
    el("footer", {}, el("button.primary", { type: "submit" }, "Enter")),
  );
}
