// An ask that is followed: its events come in, the page is told at most once a frame, listeners at each turn of it.

import { followEvents } from "./try_stream.js";
import { LAST_EVENTS, isOver, nothingTold, tell, tellAnswers } from "./try_told.js";
import { splitThinking } from "./try_text.js";
import { statusWords } from "./try_answers.js";
import { adapterName } from "./try_words.js";
import { address } from "./api.js";

/**
 * Follows an ask; `onTold(told, isLost)` shows it, `onOver()` comes once. Returns the function that stops following.
 *
 * `look()` is a promise of the ask as the history has it, or of null.
 */
export function followAsk(ask, { path, look, announce, onTold, onOver }) {
  const told = nothingTold(ask.adapters);
  const state = { isLost: false, isAsked: false, said: "" };
  const draw = () => {
    state.isAsked = false;
    onTold(told, state.isLost);
    const words = isOver(told) ? lastWords(told) : statusWords(told, state.isLost);
    if (words !== state.said) announce(words);
    state.said = words;
  };
  const drawSoon = () => {
    if (state.isAsked) return;
    state.isAsked = true;
    // A page that is not seen has no frames, and its titles and texts are to be right all the same.
    if (document.hidden) setTimeout(draw, 200);
    else requestAnimationFrame(draw);
  };
  const over = () => (drawSoon(), onOver());
  draw();
  return followEvents(address(path), {
    last: LAST_EVENTS,
    onEvent: (name, data) => {
      tell(told, name, data);
      if (isOver(told)) over();
      else drawSoon();
    },
    onConnection: (how) => {
      state.isLost = how === "lost";
      drawSoon();
    },
    onRefused: async (message) => {
      // The server keeps answers longer than the events that led to them, and also when it is started anew.
      const known = await look();
      if (known && isOver(known)) tellAnswers(told, known);
      else tell(told, "failed", { message });
      over();
    },
  });
}

/** What is read out at the end: the answers, not the tokens on the way. */
function lastWords(told) {
  if (told.state !== "done") return statusWords(told, false);
  const answers = told.sides.filter((side) => side.answer !== null);
  return answers.map((side) => `${adapterName(side.adapter)} answers: ${splitThinking(side.answer).answer}`).join(" ");
}
