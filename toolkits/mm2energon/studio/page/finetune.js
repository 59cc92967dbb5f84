// The view "Fine-tune": a form that starts runs, the list of all of them, and one run as it goes.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { emptyState } from "./empty.js";
import { runForm } from "./finetune_form.js";
import { runList } from "./finetune_list.js";
import { runPanel } from "./finetune_run.js";

const RUNS = "/api/finetune/runs";
const LIST_MS = 4000;

export function mount(root, context) {
  const content = el("div.tune-content");
  const list = runList({ onNew: () => context.navigate("#/finetune") });
  root.append(
    el("div.page.tune-page", {}, el("h1.unseen", {}, "Fine-tune"), el("div.tune-grid", {}, content, list.element)),
  );
  const view = { context, content, list, options: null, form: null, shown: null, open: null };
  context.onRoute(() => void showRoute(view));
  context.signal.addEventListener("abort", () => view.open?.abort());
  void start(view);
}

async function start(view) {
  const { context, content } = view;
  try {
    view.options = await context.api.get("/api/finetune/options", { signal: context.signal });
  } catch (error) {
    if (error.name === "AbortError") return;
    const again = el(
      "button.primary",
      { type: "button", onclick: () => void start(view) },
      icon("reset", 16),
      "Look again",
    );
    replace(
      content,
      emptyState({ icon: "warning", title: "Nothing can be trained here yet", text: error.message, actions: [again] }),
    );
    return;
  }
  await showRoute(view);
  void keepList(view);
}

async function showRoute(view) {
  const { context, content, list } = view;
  const id = context.route().rest[0] ?? "";
  if (view.shown === id) return;
  view.shown = id;
  view.open?.abort();
  view.open = new AbortController();
  list.mark(id);
  if (id === "") {
    view.form ??= runForm({
      options: view.options,
      session: context.session,
      onStart: (asked) => startRun(view, asked),
    });
    replace(content, view.form);
    return;
  }
  const panel = runPanel({
    id,
    context,
    signal: view.open.signal,
    onChange: () => void loadList(view),
    onLike: (asked) => fillForm(view, asked),
  });
  replace(content, panel);
}

/** Opens the form with the settings of another run. */
function fillForm(view, asked) {
  view.form = runForm({
    options: view.options,
    session: view.context.session,
    onStart: (one) => startRun(view, one),
    asked,
  });
  view.context.navigate("#/finetune");
}

/** Starts a run and shows it; what the server says against it is thrown. */
async function startRun(view, asked) {
  const { context } = view;
  const { id } = await context.api.post(RUNS, asked);
  context.announce("The run was started.");
  void loadList(view);
  context.navigate(`#/finetune/${encodeURIComponent(id)}`);
}

async function loadList({ context, list }) {
  try {
    const { runs } = await context.api.get(RUNS, { signal: context.signal });
    list.show(runs);
  } catch (error) {
    if (error.name !== "AbortError") list.fail(error.message);
  }
}

async function keepList(view) {
  while (!view.context.signal.aborted) {
    if (!document.hidden) await loadList(view);
    await new Promise((resolve) => setTimeout(resolve, LIST_MS));
  }
}
