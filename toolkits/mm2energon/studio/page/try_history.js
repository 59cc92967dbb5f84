// The history: the questions that were asked before, to be looked at or asked again.

import { el, once, replace } from "./dom.js";
import { icon } from "./icons.js";
import { adapterName, lastPart, when } from "./try_words.js";

const SHOWN = 20;
const STATES = { failed: "failed", cancelled: "cancelled", open: "under way" };

/** The panel. `onOpen(ask)`, `onAgain(ask)`; methods: `show(asks, current)`, `fail(message)`. */
export function historyPanel({ onOpen, onAgain }) {
  const list = el("div");
  const element = el(
    "section.card.try-history",
    { "aria-labelledby": "try-history" },
    el("h2", { id: "try-history" }, "Asked before"),
    list,
  );
  let shown = SHOWN;
  const show = (asks, current) => {
    if (!asks.length) {
      replace(list, el("p.hint", {}, "Questions and their answers are kept here."));
      return;
    }
    const more =
      asks.length > shown &&
      el(
        "button.quiet",
        { type: "button", onclick: () => showMore(asks, current) },
        `${asks.length - shown} more`,
      );
    const rows = asks.slice(0, shown).map((ask) => row(ask, ask.id === current, { onOpen, onAgain }));
    replace(list, el("ul.try-asks", {}, rows), more);
  };
  const showMore = (asks, current) => {
    const first = shown;
    shown += SHOWN;
    show(asks, current);
    list.querySelectorAll(".try-ask")[first].focus();
  };
  return { element, show, fail: (message) => replace(list, el("p.hint", {}, message)) };
}

function row(ask, isCurrent, { onOpen, onAgain }) {
  const adapters = (ask.adapters ?? [null]).map(adapterName).join(" and ");
  const facts = [when(ask.at), ask.video?.name ?? ask.video_name, lastPart(ask.model), adapters, STATES[ask.state]]
    .filter(Boolean)
    .join(" · ");
  const open = el(
    "button.try-ask",
    { type: "button", onclick: () => onOpen(ask), "aria-current": isCurrent ? "true" : null },
    el("span.try-ask-question", { dir: "auto" }, ask.question),
    el("span.hint", { dir: "auto" }, facts),
  );
  const again = el(
    "button.icon-button",
    {
      type: "button",
      title: "Ask again",
      "aria-label": `Ask again: ${ask.question.slice(0, 80)}`,
      onclick: once(() => onAgain(ask)),
    },
    icon("reset", 18),
  );
  return el("li", {}, open, again);
}
