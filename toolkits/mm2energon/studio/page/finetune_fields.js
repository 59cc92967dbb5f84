// The fields of a run's options: a kind of input for each kind of value, which says what is wrong with it.

import { el } from "./dom.js";
import { hintOf, labelOf } from "./finetune_words.js";

/** The field of an option with a value: {name, group, usual, element, input, read(), problem()}. */
export function optionField(option, value) {
  const id = `tune-${option.name}`;
  const make = { flag: flagInput, choice: choiceInput, text: textInput }[option.kind] ?? numberInput;
  const { input, read, problem = () => "" } = make(option, value, { id, "aria-describedby": `${id}-hint` });
  const hint = el("p.hint", { id: `${id}-hint` }, hintOf(option));
  const label = labelOf(option.name);
  const element =
    option.kind === "flag"
      ? el("div.field", {}, el("label.check", {}, input, label), hint)
      : el("div.field", {}, el("label.label", { for: id }, label), input, hint);
  const told = () => (problem() ? `${label}: ${problem()}` : "");
  input.addEventListener("input", () => input.setAttribute("aria-invalid", String(told() !== "")));
  return { name: option.name, group: option.group, usual: option.default, element, input, read, problem: told };
}

function flagInput(option, value, attributes) {
  const input = el("input", { type: "checkbox", checked: value === true, ...attributes });
  return { input, read: () => input.checked };
}

function choiceInput(option, value, attributes) {
  const input = el(
    "select",
    attributes,
    option.choices.map((one) => el("option", { value: one, selected: one === value }, one)),
  );
  return { input, read: () => input.value };
}

function textInput(option, value, attributes) {
  const input = el("input", { type: "text", value: value ?? "", ...attributes });
  return { input, read: () => input.value.trim() || option.default };
}

/** A number of the option's kind; an empty field stands for none where that is the default. */
function numberInput(option, value, attributes) {
  const whole = option.kind.startsWith("count");
  const least = { count: 1, count0: 0, positive: 0, number: 0, share: 0 }[option.kind] ?? null;
  const input = el("input", {
    type: "number",
    value: value ?? "",
    min: least,
    max: option.kind === "share" ? 1 : null,
    step: whole ? "1" : "any",
    inputmode: whole ? "numeric" : "decimal",
    ...attributes,
  });
  const isEmpty = () => input.value === "" && !input.validity.badInput;
  const fits = () =>
    isEmpty()
      ? option.default === null
      : input.validity.valid && (option.kind !== "positive" || input.valueAsNumber > 0);
  const range = option.kind === "share" ? "from 0 to 1" : option.kind === "positive" ? "above 0" : `from ${least} up`;
  return {
    input,
    read: () => (isEmpty() ? null : input.valueAsNumber),
    problem: () => (fits() ? "" : `${whole ? "a whole number" : "a number"} ${range} is expected.`),
  };
}
