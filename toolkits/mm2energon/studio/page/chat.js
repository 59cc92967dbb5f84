// A sample as a conversation: who said what, as bubbles; or each turn as a text area while it is edited.

import { el } from "./dom.js";
import { richText } from "./texts.js";

const NAMES = { system: "System", user: "User", assistant: "Assistant" };

/** The turns to read. `onTag`, `onTime` as in richText; `onEdit(at)` on a double click. */
export function drawChat(turns, { onTag, onTime, onEdit, isChanged = () => false }) {
  const seen = {};
  const items = turns.map((turn, at) =>
    el(
      "li.turn",
      { class: `turn-${turn.role}`, ondblclick: (event) => event.target.closest("button") || onEdit?.(at) },
      el("div.turn-role", {}, NAMES[turn.role] ?? turn.role, isChanged(at) && el("span.chip", {}, "edited")),
      el(
        "div.bubble",
        {},
        turn.text === "" ? el("span.dim", {}, "(empty)") : richText(turn.text, { onTag, onTime, seen }),
      ),
    ),
  );
  return el("ol.chat", { "aria-label": "Conversation" }, items);
}

/** The turns to write; `onInput(turns)` hears each change. Ctrl+Enter and Esc are the view's own keys. */
export function drawEditor(turns, { onInput }) {
  const now = turns.map((turn) => ({ ...turn }));
  const areas = now.map((turn, at) => {
    const area = el("textarea", { value: turn.text, dir: "auto", spellcheck: "true", rows: "2", dataset: { at } });
    area.addEventListener("input", () => {
      turn.text = area.value;
      fitHeight(area);
      onInput(now);
    });
    const name = `${NAMES[turn.role] ?? turn.role}, turn ${at + 1}`;
    return el("li.turn", { class: `turn-${turn.role}` }, el("label", {}, el("span.turn-role", {}, name), area));
  });
  const node = el("ol.chat.chat-editor", { "aria-label": "Edit the conversation" }, areas);
  requestAnimationFrame(() => node.querySelectorAll("textarea").forEach(fitHeight));
  return node;
}

/** A text area as high as its text, within reason; done by hand where the browser cannot (field-sizing). */
function fitHeight(area) {
  if (CSS.supports("field-sizing", "content")) return;
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, 480)}px`;
}
