// The choice of who answers: back end, model, adapter, and a second adapter beside it.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { adapterName, modelName } from "./try_words.js";

const OTHER = "\u0000other";
const NOBODY = "\u0000nobody";

/**
 * The panel of the choice. `choice` is {backend, model, adapters}; it is changed in place, then `onChange()` is called.
 *
 * `show(models)` shows what /api/chat/models said; `problem()` says why nothing can be asked now, or "".
 */
export function setupPanel({ choice, onChange, onLookAgain }) {
  const body = el("div.try-setup-fields");
  const notes = el("div.try-notes", { role: "status" });
  const element = el(
    "section.card.try-setup",
    { "aria-labelledby": "try-setup" },
    el("h2", { id: "try-setup" }, "Model"),
    body,
    notes,
  );
  let models = null;

  const change = () => {
    onChange();
    draw();
  };
  const draw = () => {
    const focused = document.activeElement?.id;
    replace(
      body,
      backendField(models, choice, change),
      modelField(models, choice, change),
      adapterFields(models, choice, change),
    );
    replace(notes, problemNotes(models, choice, onLookAgain));
    if (focused && body.contains(document.getElementById(focused))) document.getElementById(focused).focus();
  };
  const show = (now) => {
    models = now;
    settle(models, choice);
    draw();
  };
  const fail = (message) => replace(notes, failure(message, onLookAgain));
  return { element, show, fail, redraw: () => models && show(models), problem: () => problemOf(models, choice) };
}

/** Puts in place of what is no longer there what is. */
function settle(models, choice) {
  const backends = models.backends ?? [];
  if (!backends.some((one) => one.name === choice.backend)) {
    choice.backend = (backends.find((one) => one.ready) ?? backends[0])?.name ?? null;
    choice.model = null;
  }
  const known = modelsOf(models, choice);
  const takesOthers = backendOf(models, choice)?.any_name ?? true;
  if (known.length && !takesOthers && !known.includes(choice.model)) choice.model = known[0];
  choice.model ??= known[0] ?? "";
  if (backendOf(models, choice)?.adapters === false) choice.adapters = [null];
  const isThere = (adapter) => adapter === null || models.adapters?.some((one) => one.name === adapter && one.ready);
  choice.adapters = (choice.adapters ?? [null]).filter(isThere);
  if (!choice.adapters.length) choice.adapters = [null];
}

function failure(message, onLookAgain) {
  const again = el("button.quiet", { type: "button", onclick: onLookAgain }, icon("reset", 16), "Look again");
  return el("div.message.bad", {}, icon("warning", 18), el("p", { dir: "auto" }, message), again);
}

function backendOf(models, choice) {
  return models.backends?.find((one) => one.name === choice.backend) ?? null;
}

function modelsOf(models, choice) {
  return backendOf(models, choice)?.models ?? [];
}

function problemOf(models, choice) {
  if (!models) return "The studio is still looking for models.";
  const backend = backendOf(models, choice);
  if (!backend) return "No back end is there to answer.";
  if (!backend.ready) return backend.message || `${backend.title} is not ready.`;
  return choice.model ? "" : "Choose a model.";
}

function problemNotes(models, choice, onLookAgain) {
  const backend = backendOf(models, choice);
  const nodes = [];
  if (backend?.message || !backend?.ready) {
    const words = backend ? backend.message || `${backend.title} is not ready.` : "No back end is there to answer.";
    const again = el("button.quiet", { type: "button", onclick: onLookAgain }, icon("reset", 16), "Look again");
    const kind = backend?.ready ? "message" : "message.doubt";
    nodes.push(
      el(
        `div.${kind}`,
        {},
        icon(backend?.ready ? "review" : "warning", 18),
        el("p", { dir: "auto" }, words),
        backend?.ready ? null : again,
      ),
    );
  }
  const unready = (models.adapters ?? []).filter((one) => !one.ready);
  if (unready.length) nodes.push(unreadyAdapters(unready));
  return nodes;
}

function unreadyAdapters(adapters) {
  const rows = adapters.map((one) =>
    el("li", {}, el("strong", { dir: "auto" }, one.name), ": ", el("span", { dir: "auto" }, one.message)),
  );
  const title = adapters.length === 1 ? "1 adapter cannot be used" : `${adapters.length} adapters cannot be used`;
  return el("details.try-unready", {}, el("summary", {}, title), el("ul", {}, rows));
}

function field(id, label, control, hint = null) {
  return el(
    "div.field",
    {},
    el("label.label", { for: id }, label),
    control,
    hint && el("p.hint", { id: `${id}-hint` }, hint),
  );
}

function backendField(models, choice, change) {
  const options = (models.backends ?? []).map((one) =>
    el(
      "option",
      { value: one.name, selected: one.name === choice.backend },
      one.ready ? one.title : `${one.title} (not ready)`,
    ),
  );
  const select = el(
    "select",
    {
      id: "try-backend",
      onchange: () => (Object.assign(choice, { backend: select.value, model: null }), settle(models, choice), change()),
    },
    options,
  );
  return field("try-backend", "Back end", select);
}

/** Models that are offered; where others may be asked for, too, their names are written. */
function modelField(models, choice, change) {
  const known = modelsOf(models, choice);
  const takesOthers = backendOf(models, choice)?.any_name ?? true;
  const isOther = takesOthers && (choice.isOther || !known.includes(choice.model));
  const options = known.map((name) => el("option", { value: name, selected: !isOther && name === choice.model }, name));
  const choose = () => {
    choice.isOther = select.value === OTHER;
    choice.model = choice.isOther ? "" : select.value;
    change();
    if (choice.isOther) document.getElementById("try-other")?.focus();
  };
  const other = takesOthers && el("option", { value: OTHER, selected: isOther }, "Another …");
  const select = el("select", { id: "try-model", onchange: choose }, options, other);
  if (!known.length) return field("try-other", "Model", otherModel(choice, change));
  return field("try-model", "Model", [select, isOther && otherModel(choice, change)]);
}

function otherModel(choice, change) {
  const name = el("input", {
    id: "try-other",
    type: "text",
    value: choice.model ?? "",
    placeholder: "its name",
    "aria-label": "Name of the model",
    spellcheck: "false",
    autocomplete: "off",
    onchange: () => ((choice.model = name.value.trim()), change()),
    oninput: () => (choice.model = name.value.trim()),
  });
  return name;
}

/** Of an adapter whose base seems to be another model than the chosen one: that base. */
function madeFor(models, choice, adapter) {
  const base = models.adapters?.find((one) => one.name === adapter)?.base ?? "";
  return base && choice.model && modelName(base) !== modelName(choice.model) ? ` (for ${base})` : "";
}

function adapterFields(models, choice, change) {
  if (backendOf(models, choice)?.adapters === false) return [];
  const [first, second] = choice.adapters;
  const ready = [null, ...(models.adapters ?? []).filter((one) => one.ready).map((one) => one.name)];
  const option = (adapter, chosen) =>
    el(
      "option",
      { value: adapter ?? "", selected: adapter === chosen },
      adapterName(adapter) + madeFor(models, choice, adapter),
    );
  const take = () => {
    const one = answering.value || null;
    const other = beside.value === NOBODY ? undefined : beside.value || null;
    choice.adapters = other === undefined || other === one ? [one] : [one, other];
    change();
  };
  const answering = el(
    "select",
    { id: "try-adapter", onchange: take },
    ready.map((one) => option(one, first)),
  );
  const rest = ready.filter((one) => one !== first);
  const beside = el(
    "select",
    { id: "try-beside", onchange: take, disabled: !rest.length },
    el("option", { value: NOBODY, selected: second === undefined }, "nothing"),
    rest.map((one) => option(one, second)),
  );
  return [field("try-adapter", "Answered by", answering), field("try-beside", "Compared with", beside)];
}
