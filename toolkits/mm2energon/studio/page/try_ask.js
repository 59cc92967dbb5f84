// The question, its parameters folded below it, and the button that asks.

import { el, once, replace } from "./dom.js";
import { icon } from "./icons.js";

/** The panel. `draft.question` is kept as it is written; methods: `setQuestion`, `setProblem`, `setBusy`, `focus`. */
export function askPanel({ draft, onChange, onAsk, parameters }) {
  const problem = el("div", { role: "alert" });
  const setProblem = (text) =>
    replace(problem, text && el("div.message.bad", {}, icon("warning", 18), el("p", { dir: "auto" }, text)));
  const question = el("textarea", {
    id: "try-question",
    rows: 3,
    dir: "auto",
    value: draft.question,
    placeholder: "What happens in the video?",
    oninput: () => {
      draft.question = question.value;
      setProblem("");
      onChange();
    },
  });
  const button = el("button.primary", { type: "submit", onclick: once(onAsk) }, icon("try", 18), "Ask");
  const form = el(
    "form.try-question",
    { novalidate: true, onsubmit: (event) => event.preventDefault() },
    el("h2", {}, el("label", { for: "try-question" }, "Question")),
    question,
    el("div.try-send", {}, el("span.hint.try-keys", {}, el("kbd", {}, "Ctrl"), " ", el("kbd", {}, "Enter")), button),
    problem,
  );
  const element = el("section.card", {}, form, parameters);
  const setQuestion = (text) => {
    question.value = text;
    draft.question = text;
  };
  // A button that is disabled would lose the focus.
  const setBusy = (busy) => button.setAttribute("aria-busy", String(busy));
  return { element, setQuestion, setProblem, setBusy, focus: () => question.focus() };
}
