// The parameters of an ask: what each means, its range, its default, and the way back to it.

import { count, el, replace } from "./dom.js";
import { icon } from "./icons.js";

/** Of each parameter: its label, range, step, whether it is whole, and what it does. */
const NUMBERS = [
  {
    name: "iterations",
    label: "Rounds of perception",
    min: 1,
    max: 10,
    whole: true,
    hint: "Each round looks closer at the spans that the one before found.",
  },
  {
    name: "fps",
    label: "Frames per second",
    min: 0.01,
    max: 30,
    hint: "How densely the first round samples the video, within the budget.",
  },
  {
    name: "frame_budget",
    label: "Frame budget",
    min: 2,
    max: 768,
    whole: true,
    hint: "No round has more frames than this; more cost memory and time.",
  },
  {
    name: "max_new_tokens",
    label: "Longest answer",
    unit: "tokens",
    min: 1,
    max: 16384,
    whole: true,
    hint: "A round that reaches it is cut off.",
  },
  {
    name: "temperature",
    label: "Temperature",
    min: 0,
    max: 2,
    hint: "0: always the likeliest token. Higher: more varied.",
  },
  {
    name: "top_p",
    label: "Top-p",
    min: 0.01,
    max: 1,
    hint: "Only the likeliest tokens that make up this share are drawn from.",
  },
  {
    name: "repetition_penalty",
    label: "Repetition penalty",
    min: 0.5,
    max: 2,
    hint: "1: none. Higher: what was said is less likely to come again.",
  },
];
const PROMPTS = [
  { name: "first_prompt", label: "Prompt of the rounds before the last" },
  { name: "next_prompt", label: "Prompt of the last round, or of a single one" },
];

/**
 * The folded panel. `changed` holds what differs from the defaults; it is changed in place, then `onChange()` is called.
 *
 * Methods: `show(defaults)`, `values()` (all of them), `problem()` (what is wrong with one, or "").
 */
export function parametersPanel({ changed, onChange }) {
  const title = el("span.try-changes");
  const body = el("div.try-parameter-fields");
  const element = el("details.try-parameters", {}, el("summary", {}, "Parameters ", title), body);
  let defaults = {};
  let fields = [];

  const told = () => {
    const number = Object.keys(changed).length;
    title.textContent = number ? `${count(number, "change")}` : "";
    onChange();
  };
  const draw = () => {
    fields = [
      ...NUMBERS.filter((one) => one.name in defaults).map((one) => numberField(one, defaults, changed, told)),
      ...PROMPTS.filter((one) => one.name in defaults).map((one) => promptField(one, defaults, changed, told)),
    ];
    const reset = () => (
      Object.keys(changed).forEach((name) => delete changed[name]),
      draw(),
      element.querySelector("summary").focus()
    );
    const button = el("button.quiet", { type: "button", onclick: reset }, icon("reset", 16), "All as by default");
    replace(
      body,
      fields.map((one) => one.element),
      el("div.try-parameter-foot", {}, button),
    );
    told();
  };
  const show = (now) => {
    defaults = now ?? {};
    for (const name of Object.keys(changed)) if (!(name in defaults)) delete changed[name];
    draw();
  };
  const problem = () => fields.map((one) => one.problem()).find(Boolean) ?? "";
  const open = () => (element.open = true);
  const toggle = () => (element.open = !element.open);
  return { element, show, redraw: draw, open, toggle, problem, values: () => ({ ...defaults, ...changed }) };
}

function numberField(one, defaults, changed, told) {
  const id = `try-${one.name}`;
  const input = el("input", {
    id,
    type: "number",
    min: one.min,
    max: one.max,
    step: one.whole ? 1 : "any",
    value: changed[one.name] ?? defaults[one.name],
    inputmode: one.whole ? "numeric" : "decimal",
    "aria-describedby": `${id}-hint ${id}-fault`,
    required: true,
  });
  const label = one.unit ? `${one.label} (${one.unit})` : one.label;
  const problem = () =>
    input.validity.valid
      ? ""
      : `${one.label}: ${one.whole ? "a whole number" : "a number"} from ${one.min} to ${one.max} is expected.`;
  return resettable({
    one,
    id,
    label,
    input,
    problem,
    hint: one.hint,
    read: () => input.valueAsNumber,
    defaults,
    changed,
    told,
  });
}

function promptField(one, defaults, changed, told) {
  const id = `try-${one.name}`;
  const input = el("textarea", {
    id,
    rows: 4,
    dir: "auto",
    value: changed[one.name] ?? defaults[one.name],
    "aria-describedby": `${id}-hint ${id}-fault`,
  });
  const problem = () =>
    input.value.includes("[QUESTION]") ? "" : `${one.label}: [QUESTION] is missing, where the question is put.`;
  const hint = "[QUESTION] is where the question is put.";
  return resettable({
    one,
    id,
    label: one.label,
    input,
    problem,
    hint,
    read: () => input.value,
    defaults,
    changed,
    told,
  });
}

function resettable({ one, id, label, input, problem, hint, read, defaults, changed, told }) {
  const fault = el("p.problem", { id: `${id}-fault`, role: "status" });
  const reset = el(
    "button.quiet.try-reset",
    { type: "button", "aria-label": `${one.label}: as by default` },
    icon("reset", 16),
  );
  const update = () => {
    const isDefault = problem() === "" && read() === defaults[one.name];
    if (isDefault) delete changed[one.name];
    else if (problem() === "") changed[one.name] = read();
    fault.textContent = problem();
    input.setAttribute("aria-invalid", String(problem() !== ""));
    reset.classList.toggle("is-idle", isDefault);
    reset.disabled = isDefault;
  };
  input.addEventListener("input", () => (update(), told()));
  reset.addEventListener("click", () => {
    input.value = defaults[one.name];
    update();
    told();
    input.focus();
  });
  update();
  const field = input.tagName === "TEXTAREA" ? "div.field.try-wide" : "div.field";
  const head = el("div.try-field-head", {}, el("label.label", { for: id }, label), reset);
  return { problem, element: el(field, {}, head, input, el("p.hint", { id: `${id}-hint` }, hint), fault) };
}
