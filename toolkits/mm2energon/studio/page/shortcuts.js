// Keys: each action registers its own, `?` lists those that work now, and none fires while somebody types.

import { dialogIsOpen, openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { recall, remember } from "./memory.js";

const shortcuts = [];
const MODIFIED = /^(Ctrl|Alt)\+/;
const NAMES = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };

/**
 * Registers a key for as long as `signal` lives.
 *
 * `keys`: one or several of "a", "?", "Shift+A", "Ctrl+Enter" (Cmd on a Mac), "ArrowDown", "Escape", " ".
 * `typing`: true also fires while one types; `when` (optional) says whether it works now; `run(event)` that returns
 * false leaves the key to the browser.
 */
export function shortcut({ keys, title, group = "Everywhere", run, when = () => true, typing = false, signal }) {
  const entry = { keys: [keys].flat(), title, group, run, when, typing };
  shortcuts.push(entry);
  signal?.addEventListener("abort", () => shortcuts.splice(shortcuts.indexOf(entry), 1), { once: true });
}

export function startShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || dialogIsOpen()) return;
    const pressed = nameOf(event);
    const typing = isTyping(event.target);
    if (!MODIFIED.test(pressed) && pressed.length === 1 && !singleKeys()) return;
    // The one registered last is the nearest: a view's before the page's.
    const entry = shortcuts.findLast((one) => one.keys.includes(pressed) && (one.typing || !typing) && one.when());
    if (entry && !ownsKey(event.target, pressed) && entry.run(event) !== false) event.preventDefault();
  });
}

/** Opens the list of the keys that work here. */
export function showShortcuts() {
  const groups = Map.groupBy ? Map.groupBy(shortcuts, (one) => one.group) : grouped(shortcuts);
  const check = el("input", {
    type: "checkbox",
    checked: singleKeys(),
    onchange: () => remember("single-keys", check.checked),
  });
  return openDialog({
    title: "Keys",
    wide: true,
    className: "keys",
    build: () => [
      el(
        "div.body",
        { tabindex: "0", autofocus: true },
        [...groups].map(([name, entries]) => section(name, entries)),
      ),
      el("footer", {}, el("label.check", {}, check, "Keys without Ctrl are on")),
    ],
  });
}

/** How a key is shown: "Ctrl+Enter" as two caps. */
export function keyCaps(key) {
  return key
    .split(/\+(?=.)/)
    .map((part) => el("kbd", {}, NAMES[part] ?? part.replace(/^[a-z]$/, (letter) => letter.toUpperCase())));
}

function section(name, entries) {
  const rows = entries.map(({ keys, title }) =>
    el(
      "div",
      {},
      el("dt", {}, title),
      el(
        "dd",
        {},
        keys.map((key, at) => [at ? " or " : "", keyCaps(key)]),
      ),
    ),
  );
  return el("section", {}, el("h3", {}, name), el("dl", {}, rows));
}

function grouped(entries) {
  const groups = new Map();
  for (const entry of entries) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
  return groups;
}

function singleKeys() {
  return recall("single-keys", true);
}

function nameOf(event) {
  const key =
    event.key.length === 1 && event.shiftKey && /\p{L}/u.test(event.key)
      ? `Shift+${event.key.toUpperCase()}`
      : event.key;
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  const letter = event.key.length === 1 && !event.shiftKey ? key.toLowerCase() : key;
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift}${letter}`;
}

const TEXT_INPUTS = /^(text|search|number|password|email|url|tel|date|time)$/;

function isTyping(target) {
  if (target.closest?.("textarea, select, [contenteditable]")) return true;
  return target.matches?.("input") && TEXT_INPUTS.test(target.type);
}

/** Space and Enter belong to the button that has the focus, arrows to a control that moves by them. */
function ownsKey(target, pressed) {
  if (pressed === " " || pressed === "Enter")
    return Boolean(target.closest?.("button, a, summary, input, [role=listbox]"));
  if (pressed.startsWith("Arrow"))
    return Boolean(target.closest?.("[role=listbox], [role=tablist], video, audio, input"));
  return false;
}
