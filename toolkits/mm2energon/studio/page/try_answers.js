// The answers: what is told of an ask as it comes, one column for each adapter, and what can be done with them.

import { el, once, replace } from "./dom.js";
import { icon } from "./icons.js";
import { isOver } from "./try_told.js";
import { splitThinking } from "./try_text.js";
import { adapterName } from "./try_words.js";

/**
 * The panel. `onCancel()`, `onAgain()`, `onKeep(adapter)` (a promise of the entry's {number}, or null), `onCopy(text)`.
 *
 * Methods: `show(ask, told, isLost)`, called as often as one likes, and `clear()`.
 */
export function answersPanel({ onCancel, onAgain, onKeep, onCopy }) {
  const question = el("p.try-asked", { dir: "auto" });
  const status = el("div.try-status");
  const columns = el("div.try-columns");
  const element = el(
    "section.card.try-answers",
    { "aria-labelledby": "try-answers", hidden: true },
    el("h2", { id: "try-answers" }, "Answer"),
    question,
    status,
    columns,
  );
  const state = { ask: null, sides: new Map(), status: "" };

  const show = (ask, told, isLost) => {
    if (state.ask !== ask) {
      Object.assign(state, { ask, sides: new Map(), status: "" });
      replace(columns);
      question.textContent = ask.question;
    }
    element.hidden = false;
    columns.setAttribute("aria-busy", String(!isOver(told)));
    columns.classList.toggle("is-compared", told.sides.length > 1);
    showStatus(told, isLost);
    for (const side of told.sides) {
      if (!state.sides.has(side.adapter)) {
        const card = sideCard(side.adapter, { onKeep, onCopy });
        state.sides.set(side.adapter, card);
        columns.append(card.element);
      }
      state.sides.get(side.adapter).show(side, told);
    }
  };
  const showStatus = (told, isLost) => {
    const words = statusWords(told, isLost);
    const drawn = `${told.state} ${isLost} ${words}`;
    if (drawn === state.status) return;
    state.status = drawn;
    const isBad = told.state === "failed";
    const cancel =
      !isOver(told) && el("button", { type: "button", onclick: once(onCancel) }, icon("stop", 16), "Cancel");
    const isKnown = Boolean(state.ask.question);
    const again =
      isOver(told) &&
      isKnown &&
      el("button", { type: "button", onclick: once(onAgain) }, icon("reset", 16), "Ask again");
    const mark = isBad ? icon("warning", 18) : isOver(told) ? null : el("span.try-pulse", { "aria-hidden": "true" });
    replace(
      status,
      el("div.try-status-words", { class: isBad ? "is-bad" : "" }, mark, el("p", { dir: "auto" }, words)),
      cancel,
      again,
    );
  };
  const clear = () => ((state.ask = null), (element.hidden = true));
  return { element, show, clear };
}

/** Where an ask is, in words. */
export function statusWords(told, isLost) {
  if (told.state === "done") return "Answered.";
  if (told.state === "cancelled") return "Cancelled. What had come by then stays here.";
  if (told.state === "failed") return `It failed: ${told.message || "the server did not say why."}`;
  if (isLost) return "The connection is lost; the answer is taken up again as soon as the server is there.";
  if (told.state === "queued") return queueWords(told.position);
  if (told.state === "loading") return `${sentence(told.message || "loading the model")} …`;
  if (told.state === "sent") return "Sent …";
  const side = told.sides.findLast((one) => one.rounds.length);
  const round = side?.rounds[side.rounds.length - 1];
  const who = told.sides.length > 1 && side ? `${adapterName(side.adapter)}: ` : "";
  if (!round) return "Looking at the video …";
  return `${who}${side.of > 1 ? `round ${round.number} of ${side.of}` : "answering"} …`;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function queueWords(position) {
  return position > 1 ? `Place ${position} in the queue …` : "Next in the queue …";
}

function sideCard(adapter, { onKeep, onCopy }) {
  const name = adapterName(adapter);
  const thought = el("p.try-thought", { dir: "auto" });
  const thinkingTitle = el("summary", {}, "Thinking");
  const thinking = el("details.try-thinking", { hidden: true }, thinkingTitle, thought);
  const answer = el("p.try-answer", { dir: "auto" });
  const empty = el("p.hint", { hidden: true });
  const earlier = el("div.try-earlier");
  const foot = el("div.try-foot");
  const element = el(
    "article.try-side",
    { "aria-label": name },
    el("h3", { dir: "auto" }, name),
    earlier,
    thinking,
    answer,
    empty,
    foot,
  );
  const state = { folded: 0, foot: false };

  const show = (side, told) => {
    const over = side.isDone || isOver(told);
    const last = side.rounds[side.rounds.length - 1];
    const parts = splitThinking(last?.text ?? "", { growing: !over });
    const text = side.answer === null ? parts.answer : splitThinking(side.answer).answer;
    setText(thought, parts.thinking);
    thinking.hidden = parts.thinking === "";
    setText(thinkingTitle, parts.isThinking && !over ? "Thinking …" : "What it thought");
    setText(answer, text);
    answer.classList.toggle("is-growing", !over && Boolean(last));
    empty.hidden = text !== "" || !over;
    setText(empty, emptyWords(told, parts, last));
    for (; state.folded < side.rounds.length - 1; state.folded += 1)
      earlier.append(earlierRound(side.rounds[state.folded]));
    if (over && text !== "" && !state.foot) {
      state.foot = true;
      replace(
        foot,
        copyButton(() => onCopy(answer.textContent)),
        side.isDone ? keepButton(() => onKeep(adapter)) : null,
      );
    }
  };
  return { element, show };
}

function emptyWords(told, parts, last) {
  if (told.state === "cancelled" && !last) return "It was cancelled before the first word.";
  if (parts.isThinking)
    return "It was still thinking when its longest answer was reached: more tokens, or a shorter prompt, may help.";
  return told.state === "failed" ? "There is no answer." : "The answer is empty.";
}

/** A round of before, folded: what it thought and said about where to look. */
function earlierRound(round) {
  const parts = splitThinking(round.text ?? "");
  const said = [
    parts.thinking && el("p.try-thought", { dir: "auto" }, parts.thinking),
    parts.answer && el("p", { dir: "auto" }, parts.answer),
  ];
  return el(
    "details.try-thinking",
    {},
    el("summary", {}, `Round ${round.number}`),
    said.some(Boolean)
      ? said
      : el("p.hint", {}, round.text === null ? "What it wrote in this round was not kept." : "It wrote nothing."),
  );
}

function copyButton(run) {
  return el("button.quiet", { type: "button", onclick: run }, icon("alike", 16), "Copy");
}

function keepButton(keep) {
  const place = el("span.try-keep");
  const button = el("button.quiet", { type: "button", onclick: () => run() }, icon("plus", 16), "Keep as a sample");
  let isKeeping = false;
  const run = async () => {
    if (isKeeping) return;
    isKeeping = true;
    const kept = await keep();
    isKeeping = false;
    if (kept === null) return;
    // While the dataset is still counted, the number of what comes after it is not known.
    const href = kept.number === null ? "#/review" : `#/review/${kept.number}`;
    const link = el("a.try-kept", { href }, icon("accept", 16), "Kept: see it in the review");
    const hadFocus = document.activeElement === button;
    replace(place, link);
    if (hadFocus) link.focus();
  };
  place.append(button);
  return place;
}

/** Sets a text where it is another: a node that does not change is not laid out anew. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
