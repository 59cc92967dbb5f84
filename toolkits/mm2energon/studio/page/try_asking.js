// Asking: a question is put, asked again, shown as it is answered, cancelled and kept, in the view that is open.

import { recall, remember } from "./memory.js";
import { followAsk } from "./try_follow.js";

const ASKS = "/api/chat/asks";

export async function loadHistory({ context, parts, state }) {
  try {
    const told = await context.api.get("/api/chat/history", { signal: context.signal });
    state.asks = told.asks;
    parts.history.show(state.asks, state.ask?.id);
  } catch (error) {
    if (error.name !== "AbortError") parts.history.fail(error.message);
  }
}

export async function reopen(view, id) {
  const { context, state, parts } = view;
  const known = await askOf(view, id);
  if (context.signal.aborted) return;
  if (known) takeUp(view, known);
  show(view, known ?? { id, question: "", adapters: [] });
  parts.history.show(state.asks, id);
}

/** What an ask was, also one that goes on, or that was asked elsewhere; null where nobody knows it any more. */
async function askOf({ context, state }, id) {
  return state.asks.find((one) => one.id === id) ?? look(context, id);
}

function look({ api, signal }, id) {
  return api.get(`${ASKS}/${encodeURIComponent(id)}`, { signal }).catch(() => null);
}

/** The settings of an ask become those of the form. */
function takeUp({ draft, state, parts, save }, ask) {
  Object.assign(draft.choice, { backend: ask.backend, model: ask.model, adapters: [...ask.adapters], isOther: false });
  const defaults = state.models?.defaults ?? {};
  Object.keys(draft.changed).forEach((name) => delete draft.changed[name]);
  for (const [name, value] of Object.entries(ask.parameters ?? {}))
    if (name in defaults && value !== defaults[name]) draft.changed[name] = value;
  parts.ask.setQuestion(ask.question);
  parts.setup.redraw();
  parts.parameters.redraw();
  if (!ask.video)
    parts.video.miss(`${ask.video_name || "The video"} is not there any more: give it again to ask about it.`);
  else if (ask.video.id !== parts.video.current()?.id) parts.video.show(ask.video);
  save();
}

export async function askAgain(view, ask) {
  takeUp(view, ask);
  const gone = whatIsGone(view.draft.choice, ask);
  if (gone) view.parts.ask.setProblem(`${gone} is not there any more: choose who answers, and ask.`);
  else await askNow(view);
}

/** Who answered before and is not offered now: nobody else is asked unsaid. */
function whatIsGone(choice, ask) {
  if (choice.backend !== ask.backend) return ask.backend;
  if (choice.model !== ask.model) return ask.model;
  return ask.adapters.find((adapter) => !choice.adapters.includes(adapter));
}

export async function askNow(view) {
  const { context, draft, state, parts, save } = view;
  if (state.isAsking) return;
  const problem = whatIsMissing(view);
  parts.ask.setProblem(problem);
  if (problem) return;
  const { backend, model, adapters } = draft.choice;
  const ask = {
    backend,
    model,
    adapters: [...adapters],
    question: draft.question.trim(),
    parameters: parts.parameters.values(),
  };
  state.isAsking = true;
  parts.ask.setBusy(true);
  try {
    const { id } = await context.api.post(ASKS, { ...ask, video: draft.video.id, who: browserName() }, { signal: context.signal });
    save();
    show(view, { ...ask, id, video: draft.video });
    context.navigate(`#/try?ask=${encodeURIComponent(id)}`);
    comeIntoSight(parts.answers.element);
    void loadHistory(view);
  } catch (error) {
    if (error.name === "AbortError") return;
    parts.ask.setProblem(error.message);
    parts.setup.onLookAgain(); // what was chosen may be gone
  } finally {
    state.isAsking = false;
    parts.ask.setBusy(false);
  }
}

/** Scrolls to the answer where it would begin below the middle of the window. */
function comeIntoSight(element) {
  if (element.getBoundingClientRect().top > window.innerHeight / 2) element.scrollIntoView({ block: "start" });
}

function whatIsMissing({ draft, parts }) {
  if (parts.video.isBusy()) return "The video is still on its way.";
  if (!draft.video) return "Give a video first.";
  if (!draft.question.trim()) return "Write a question first.";
  const wrong = parts.parameters.problem();
  if (wrong) parts.parameters.open();
  return wrong || parts.setup.problem();
}

/** Shows an ask from its first event on: what came before a reload of the page comes again. */
function show(view, ask) {
  const { context, draft, state, parts } = view;
  state.stop?.();
  state.ask = ask;
  state.isOver = false;
  parts.timeline.clear();
  state.stop = followAsk(ask, {
    path: `${ASKS}/${encodeURIComponent(ask.id)}/events`,
    look: () => look(context, ask.id),
    announce: context.announce,
    onTold: (told, isLost) => {
      parts.answers.show(ask, told, isLost);
      if (ask.video && ask.video.id === draft.video?.id) parts.timeline.show(told);
    },
    onOver: () => {
      state.isOver = true;
      if (!context.signal.aborted) void loadHistory(view);
    },
  });
}

export async function cancel(context, state) {
  if (state.isOver) return;
  try {
    await context.api.post(`${ASKS}/${encodeURIComponent(state.ask.id)}/cancel`);
  } catch (error) {
    context.toast(error.message, { kind: "bad" });
  }
}

export async function keep(context, state, adapter) {
  try {
    const { number } = await context.api.post(`${ASKS}/${encodeURIComponent(state.ask.id)}/keep`, { adapter });
    context.announce("Kept as a sample.");
    return { number };
  } catch (error) {
    context.toast(error.message, { kind: "bad" });
    return null;
  }
}

/** What this browser calls itself, so that the queue is fair to each of those that come from one address. */
function browserName() {
  const known = recall("who");
  if (typeof known === "string") return known;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  remember("who", name);
  return name;
}
