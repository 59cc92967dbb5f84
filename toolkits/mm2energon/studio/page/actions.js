// The buttons under a sample: accept, reject, edit, undo, redo, reset; other ones while it is edited.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { keyCaps } from "./shortcuts.js";

/** The bar; `run` has a function for each action. It stays the same element, so that the focus stays. */
export class ActionBar {
  constructor(run) {
    this.accept = action("accept", "Accept", "a", run.accept, "accept");
    this.reject = action("reject", "Reject", "r", run.reject, "reject");
    this.edit = action("edit", "Edit", "e", run.edit);
    this.undo = small("undo", "Undo here (U)", run.undo);
    this.redo = small("redo", "Redo here (Y)", run.redo);
    this.reset = small("reset", "Reset to as it was (Shift+X)", run.reset);
    this.save = action("accept", "Save and accept", "Ctrl+Enter", run.save, "accept");
    this.cancel = action("close", "Cancel", "Escape", run.cancel);
    this.goOn = el("input", { type: "checkbox", onchange: () => run.setGoOn(this.goOn.checked) });
    this.reading = el("div.actions-group", {}, this.accept, this.reject, this.edit);
    this.writing = el("div.actions-group", { hidden: true }, this.save, this.cancel);
    this.more = el("div.actions-group.actions-more", {}, this.undo, this.redo, this.reset);
    const goOn = el(
      "label.check.go-on",
      { title: "After a decision go on to the next entry (O)" },
      this.goOn,
      el("span", {}, "Go on"),
    );
    this.node = el(
      "div.actions",
      { role: "toolbar", "aria-label": "Decide" },
      this.reading,
      this.writing,
      this.more,
      goOn,
    );
  }

  /** Shows what can be done with an item, or with nothing. */
  show({ item, me, isEditing, isBusy, goOn }) {
    this.reading.hidden = isEditing;
    this.writing.hidden = !isEditing;
    this.more.hidden = isEditing;
    this.goOn.checked = goOn;
    const off = !item || isBusy;
    // Not "disabled": a button that loses its focus while a decision is on its way loses the reader's place.
    for (const button of [this.accept, this.reject, this.save]) button.setAttribute("aria-disabled", String(off));
    this.edit.setAttribute("aria-disabled", String(off || !item.sample));
    const status = item?.status === "pending" ? item.by_reviewer?.[me] : item?.status; // it may wait for others
    this.accept.setAttribute("aria-pressed", String(status === "accepted"));
    this.reject.setAttribute("aria-pressed", String(status === "rejected"));
    this.undo.setAttribute("aria-disabled", String(off || !item.can_undo));
    this.redo.setAttribute("aria-disabled", String(off || !item.can_redo));
    this.reset.setAttribute("aria-disabled", String(off || isUntouched(item)));
  }
}

function isUntouched({ status, edited, by_reviewer: heard }) {
  return status === "pending" && !edited && Object.keys(heard ?? {}).length === 0;
}

function action(name, title, key, run, className = "") {
  const button = el("button.action", { type: "button", class: className && `action-${className}` });
  button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && run());
  button.append(icon(name, 18), el("span", {}, title), el("span.action-key", { "aria-hidden": "true" }, keyCaps(key)));
  return button;
}

function small(name, title, run) {
  const button = el("button.icon-button", { type: "button", title, "aria-label": title.replace(/ \(.*/, "") });
  button.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && run());
  button.append(icon(name));
  return button;
}
