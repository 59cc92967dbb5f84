// The form of a new run: its data, its model, its name, and the options that the server's table lists.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { optionField } from "./finetune_fields.js";
import { GROUPS, labelOf } from "./finetune_words.js";
import { recall, remember } from "./memory.js";

/** Groups that are open at first; the others are folded. */
const OPEN = ["adapter", "training"];

/** The form. `onStart(asked)` is a promise; what it throws is shown. `asked`: the settings of a run to begin with. */
export function runForm({ options, session, onStart, asked: before = {} }) {
  const data = dataFields(options, session, before.data);
  const model = modelField(options, before.model);
  const output = nameField();
  const fields = (options.options ?? []).map((option) => optionField(option, before[option.name] ?? option.default));
  const problem = el("div", { role: "alert" });
  const button = el("button.primary", { type: "submit" }, icon("play", 16), "Start");
  const say = (text) =>
    replace(problem, text && el("div.message.bad", {}, icon("warning", 18), el("p", { dir: "auto" }, text)));
  let isStarting = false;
  const submit = async (event) => {
    event.preventDefault();
    if (isStarting) return;
    const wrong = [data, model, output, ...fields].find((one) => one.problem() !== "");
    say(wrong?.problem() ?? "");
    if (wrong) return reveal(wrong.input);
    const asked = { data: data.read(), model: model.read() };
    if (output.read()) asked.output = output.read();
    for (const one of fields) if (one.read() !== one.usual) asked[one.name] = one.read();
    remember("finetune-model", asked.model);
    isStarting = true;
    await onStart(asked).then(output.clear, (error) => say(error.message));
    isStarting = false;
  };
  return el(
    "form.tune-form",
    { novalidate: true, onsubmit: submit },
    readiness(options),
    el(
      "section.card",
      {},
      el("h2", {}, "New run"),
      data.element,
      el("div.tune-fields", {}, model.element, output.element),
    ),
    groupsOf(fields),
    el("div.tune-send", {}, problem, button),
  );
}

function readiness(options) {
  if (options.ready !== false && !options.message) return null;
  return el(
    "div.message",
    { class: options.ready === false ? "doubt" : "" },
    icon("warning", 18),
    el("p", { dir: "auto" }, options.message),
  );
}

function reveal(input) {
  const folded = input.closest("details");
  if (folded) folded.open = true;
  input.focus();
}

function dataFields(options, session, before) {
  const known =
    options.data ?? (session.dataset?.path ? [{ path: session.dataset.path, name: session.dataset.name }] : []);
  const asked = before ? [before].flat().join("\n") : (known[0]?.path ?? "");
  const isKnown = known.some((one) => one.path === asked);
  const path = el("textarea", {
    id: "tune-path",
    rows: 2,
    "aria-label": "File or folder",
    placeholder: "a file or a folder of shards; several on lines of their own",
    value: isKnown ? "" : asked,
    spellcheck: "false",
  });
  const choice = (value, title, detail, checked) =>
    el(
      "label.choice",
      {},
      el("input", { type: "radio", name: "tune-data", value, checked }),
      el("span", {}, title, detail && el("span.hint.tune-path", { dir: "auto" }, detail)),
    );
  const other = choice("", "Another file or folder", "inside the folders that the studio was opened with", !isKnown);
  const choices = known.map((one) =>
    choice(one.path, one.title ?? `The open dataset: ${one.name}`, one.path, one.path === asked),
  );
  const hint = el(
    "p.hint",
    {},
    known.length ? "Files are read as they are. To train on what was accepted and edited here, " : "A table is not read: ",
    el("a", { href: "#/export" }, "export it"),
    " and name the file here.",
  );
  const element = el("fieldset.tune-data", {}, el("legend.label", {}, "Data"), choices, other, path, hint);
  const chosen = () => element.querySelector("input:checked").value;
  const update = () => (path.hidden = chosen() !== "");
  element.addEventListener("change", (event) => {
    if (event.target === path) return;
    update();
    if (!path.hidden) path.focus();
  });
  update();
  const written = () =>
    path.value
      .split("\n")
      .map((one) => one.trim())
      .filter(Boolean);
  const read = () => chosen() || (written().length > 1 ? written() : (written()[0] ?? ""));
  const problem = () => (read() ? "" : "Data: the path of a file or folder is expected.");
  return { element, input: path, read, problem };
}

function modelField(options, before) {
  const models = (options.models ?? []).map((one) => (typeof one === "string" ? one : one.name));
  const usual = before ?? recall("finetune-model") ?? options.model ?? models[0] ?? "";
  const input = el("input", {
    id: "tune-model",
    type: "text",
    value: usual,
    list: "tune-models",
    spellcheck: "false",
    autocomplete: "off",
    required: true,
    "aria-describedby": "tune-model-hint",
  });
  const list = el(
    "datalist",
    { id: "tune-models" },
    models.map((value) => el("option", { value })),
  );
  const hint = el(
    "p.hint",
    { id: "tune-model-hint" },
    "A folder, or a name of the hub, such as OpenGVLab/VideoChat-R1_5-7B.",
  );
  const element = el("div.field", {}, el("label.label", { for: "tune-model" }, "Base model"), input, list, hint);
  return {
    element,
    input,
    read: () => input.value.trim(),
    problem: () => (input.value.trim() ? "" : "Base model: a folder or a name is expected."),
  };
}

function nameField() {
  const input = el("input", {
    id: "tune-output",
    type: "text",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: "by date and time",
    "aria-describedby": "tune-output-hint",
  });
  const hint = el(
    "p.hint",
    { id: "tune-output-hint" },
    "The adapter's folder: letters, digits, dots, hyphens, underscores.",
  );
  const fits = () => input.value.trim() === "" || /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(input.value.trim());
  const element = el("div.field", {}, el("label.label", { for: "tune-output" }, "Name"), input, hint);
  return {
    element,
    input,
    read: () => input.value.trim(),
    clear: () => (input.value = ""),
    problem: () =>
      fits() ? "" : "Name: letters, digits, dots, hyphens and underscores are expected, and a letter or digit first.",
  };
}

function groupsOf(fields) {
  const names = [...new Set([...OPEN, ...fields.map((one) => one.group)])];
  return names.map((name) => {
    const mine = fields.filter((one) => one.group === name);
    if (!mine.length) return null;
    const title = GROUPS[name] ?? labelOf(name);
    const body = el(
      "div.tune-fields",
      {},
      mine.map((one) => one.element),
    );
    return el("details.card.tune-group", { open: OPEN.includes(name) }, el("summary", {}, el("h2", {}, title)), body);
  });
}
