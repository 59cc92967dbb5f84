// The view "Try a model": a video, a question, and the answer as it comes.

import { el } from "./dom.js";
import { recall, remember } from "./memory.js";
import { answersPanel } from "./try_answers.js";
import { askAgain, askNow, cancel, keep, loadHistory, reopen } from "./try_asking.js";
import { askPanel } from "./try_ask.js";
import { historyPanel } from "./try_history.js";
import { parametersPanel } from "./try_parameters.js";
import { setupPanel } from "./try_setup.js";
import { timeline } from "./try_timeline.js";
import { videoPanel } from "./try_video.js";

export function mount(root, context) {
  const draft = { choice: {}, changed: {}, question: "", video: null, ...recall("try") };
  const state = { ask: null, asks: [], models: null, stop: null, isOver: true, isAsking: false };
  const save = () => remember("try", draft);
  const parts = buildParts(root, context, draft, state, save);
  const view = { context, draft, state, parts, save };

  parts.ask.onAsk = () => void askNow(view);
  parts.answers.onAgain = () => void askAgain(view, state.ask);
  parts.history.onOpen = (ask) => context.navigate(`#/try?ask=${encodeURIComponent(ask.id)}`);
  parts.history.onAgain = (ask) => void askAgain(view, ask);
  parts.setup.onLookAgain = () => void loadModels(view);
  registerKeys(view);
  context.onRoute(() => void takeRoute(view));
  context.guard(
    () =>
      !parts.video.isBusy() ||
      context.confirm({
        title: "A video is still on its way",
        text: "It is cancelled when you leave.",
        yes: "Leave",
        no: "Stay",
      }),
  );
  context.signal.addEventListener("abort", () => state.stop?.());
  addEventListener("beforeunload", (event) => parts.video.isBusy() && event.preventDefault(), { signal: context.signal });
  // Adapters come and go while one looks elsewhere: they are trained, copied and removed.
  addEventListener("focus", () => state.models && void loadModels(view), { signal: context.signal });
  void open(view);
}

function buildParts(root, context, draft, state, save) {
  const { signal } = context;
  const parts = {};
  parts.setup = setupPanel({ choice: draft.choice, onChange: save, onLookAgain: () => parts.setup.onLookAgain() });
  parts.timeline = timeline({ signal, onSeek: (seconds) => parts.video.seek(seconds) });
  parts.video = videoPanel({
    signal,
    onVideo: (video, player) => {
      draft.video = video;
      save();
      parts.timeline.setVideo(video, player);
      parts.timeline.clear();
      parts.ask?.setProblem("");
    },
  });
  parts.parameters = parametersPanel({ changed: draft.changed, onChange: save });
  parts.ask = askPanel({ draft, onChange: save, onAsk: () => parts.ask.onAsk(), parameters: parts.parameters.element });
  parts.answers = answersPanel({
    onCancel: () => void cancel(context, state),
    onAgain: () => parts.answers.onAgain(),
    onKeep: (adapter) => keep(context, state, adapter),
    onCopy: (text) => void copy(context, text),
  });
  parts.history = historyPanel({
    onOpen: (ask) => parts.history.onOpen(ask),
    onAgain: (ask) => parts.history.onAgain(ask),
  });
  const watching = el("div.try-watching", {}, parts.video.element, parts.timeline.element);
  const asking = el("div.try-asking", {}, parts.ask.element, parts.answers.element, parts.history.element);
  root.append(
    el(
      "div.page.try-page",
      {},
      el("h1.unseen", {}, "Try a model"),
      parts.setup.element,
      el("div.try-grid", {}, watching, asking),
    ),
  );
  return parts;
}

async function open(view) {
  const { context, draft, parts } = view;
  await Promise.all([loadModels(view), loadHistory(view)]);
  if (context.signal.aborted) return;
  const { params } = context.route();
  if (!params.has("item") && !params.has("ask") && draft.video) await showVideoOfBefore(view);
  await takeRoute(view);
}

async function loadModels({ context, parts, state }) {
  const isFirst = state.models === null;
  try {
    state.models = await context.api.get("/api/chat/models", { signal: context.signal });
    parts.setup.show(state.models);
    if (isFirst) parts.parameters.show(state.models.defaults);
  } catch (error) {
    if (error.name !== "AbortError") parts.setup.fail(error.message);
  }
}

/** A video of before is shown when the server has it still. */
async function showVideoOfBefore({ context, draft, parts }) {
  const there = await fetch(draft.video.url, { headers: { Range: "bytes=0-0" }, signal: context.signal }).then(
    (answer) => answer.ok,
    () => false,
  );
  if (!context.signal.aborted) parts.video.show(there ? draft.video : null);
}

/** `?item=12&video=0` takes that video; `?ask=7` shows that ask; `?adapter=colours` chooses it. */
async function takeRoute(view) {
  const { context, draft, state, parts } = view;
  const { params } = context.route();
  if (params.has("adapter")) {
    draft.choice.adapters = [params.get("adapter")];
    if (params.get("model")) Object.assign(draft.choice, { model: params.get("model"), isOther: false });
    parts.setup.redraw();
  }
  if (params.has("item")) {
    context.navigate("#/try", { replace: true });
    await parts.video.take({ number: Number(params.get("item")), index: Number(params.get("video") ?? 0) });
  } else if (params.has("ask") && params.get("ask") !== state.ask?.id) {
    await reopen(view, params.get("ask"));
  }
}

async function copy(context, text) {
  try {
    await navigator.clipboard.writeText(text);
    context.toast("Copied.", { kind: "good" });
  } catch {
    context.toast("This browser does not let the page copy here: mark the text and copy it.", { kind: "bad" });
  }
}

function registerKeys({ context, parts, state }) {
  const { shortcut } = context;
  shortcut({ keys: "Ctrl+Enter", title: "Ask", typing: true, run: ({ repeat }) => void (repeat || parts.ask.onAsk()) });
  shortcut({
    keys: "c",
    title: "Cancel the answer",
    when: () => !state.isOver,
    run: () => void cancel(context, state),
  });
  shortcut({ keys: "q", title: "Write a question", run: () => parts.ask.focus() });
  shortcut({ keys: "p", title: "Parameters", run: () => parts.parameters.toggle() });
}
