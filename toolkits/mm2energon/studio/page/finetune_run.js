// One run as it goes: its state, its loss, its log, and what can be done with it.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { lossChart } from "./finetune_chart.js";
import { badge } from "./finetune_list.js";
import { figure, isLive, labelOf, length, stateOf } from "./finetune_words.js";
import { when } from "./try_words.js";

const POLL_MS = 1200;
const RETRY_MS = 4000;
const RATE_STEPS = 20;

/**
 * The panel of a run; it follows the run until `signal` is aborted. `onChange()`: its state became another,
 * `onLike(options)`: another run like it is wanted.
 */
export function runPanel({ id, context, signal, onChange, onLike }) {
  const head = el("div.tune-head");
  const bar = el("progress", { max: "1", "aria-label": "Progress" });
  const facts = el("p.hint.tune-facts");
  const message = el("div", { role: "status" });
  const chart = lossChart({ signal });
  const log = logPanel();
  const settings = el(
    "details.card.tune-group",
    {},
    el("summary", {}, el("h2", {}, "Settings")),
    el("dl.tune-settings"),
  );
  const element = el(
    "div.tune-run",
    {},
    el("section.card.tune-top", {}, head, message, bar, facts),
    chart.element,
    log.element,
    settings,
  );
  const known = { losses: new Map(), evals: new Map(), since: 0, state: "" };
  const act = async (what, { detail }) => {
    // The second click of two would meet the button that came in the place of the first.
    if (known.isActing || detail > 1) return;
    known.isActing = true;
    try {
      await context.api.post(`/api/finetune/runs/${encodeURIComponent(id)}/${what}`);
      known.wake?.();
    } catch (error) {
      context.toast(error.message, { kind: "bad" });
    }
    known.isActing = false;
  };
  const show = (run) => {
    takeFigures(known, run);
    showHead(head, run, act, onLike);
    showMessage(message, run);
    const [losses, evals] = [known.losses, known.evals].map((points) =>
      [...points.values()].sort((a, b) => a.step - b.step),
    );
    showProgress(bar, facts, run, losses);
    chart.show({ losses, evals, total: run.total ?? 0, isLive: isLive(run) });
    log.show(run.lines ?? []);
    showSettings(settings.querySelector("dl"), run.options ?? {});
    if (known.state && known.state !== run.state) {
      context.announce(`${run.id}: ${stateOf(run).title}`);
      onChange();
    }
    known.state = run.state;
  };
  replace(head, el("h2", { dir: "auto" }, id), el("span.spinner"));
  void follow({ id, context, signal, known, show, fail: (...told) => failed(element, message, ...told) });
  return element;
}

async function follow({ id, context, signal, known, show, fail }) {
  while (!signal.aborted) {
    let pause = POLL_MS;
    try {
      const run = await context.api.get(`/api/finetune/runs/${encodeURIComponent(id)}`, {
        query: { since: known.since },
        signal,
      });
      show(run);
      if (!isLive(run)) pause = RETRY_MS;
    } catch (error) {
      if (error.name === "AbortError") return;
      const isRefused = error.status >= 400 && error.status < 500;
      fail(error.message, isRefused && !known.state);
      if (isRefused) return;
      pause = RETRY_MS;
    }
    await new Promise((resolve) => {
      known.wake = resolve;
      setTimeout(resolve, pause);
    });
  }
}

/** What was seen stays on the page when the server does not answer; a run that is not there has nothing to show. */
function failed(element, message, text, isNone) {
  const note = el("div.message.bad", {}, icon("warning", 18), el("p", { dir: "auto" }, text));
  delete message.dataset.text; // it goes with the next word of the run
  if (isNone) replace(element, el("section.card", {}, note));
  else replace(message, note);
}

function takeFigures(known, run) {
  for (const one of run.losses ?? []) known.losses.set(one.step, { ...one, loss: one.loss ?? NaN });
  for (const one of run.evals ?? []) known.evals.set(one.step, { ...one, loss: one.loss ?? one.eval_loss ?? NaN });
  known.since = run.since ?? known.since;
}

function showHead(head, run, act, onLike) {
  const drawn = `${run.state} ${run.can_resume} ${run.adapter_name}`;
  if (head.dataset.drawn === drawn) return;
  head.dataset.drawn = drawn;
  const canStop = isLive(run) && run.state !== "stopping";
  const does = (what) => ({ type: "button", onclick: (event) => act(what, event) });
  const stop = canStop && el("button", does("stop"), icon("stop", 16), "Stop");
  const resume = run.can_resume && el("button.primary", does("resume"), icon("play", 16), "Go on");
  const like =
    !isLive(run) &&
    run.options?.model &&
    el("button", { type: "button", onclick: () => onLike(run.options) }, icon("plus", 16), "Another like it");
  const hadFocus = head.contains(document.activeElement);
  replace(
    head,
    el("h2", { dir: "auto" }, run.id),
    badge(run),
    el("div.tune-actions", {}, stop, like, resume, run.adapter_name && tryLink(run)),
  );
  if (hadFocus) head.querySelector("button, a")?.focus();
}

function tryLink(run) {
  const model = run.options?.model ?? "";
  const query = new URLSearchParams({ adapter: run.adapter_name, ...(model ? { model } : {}) });
  return el("a.button.tune-try", { href: `#/try?${query}` }, icon("try", 16), "Try this adapter");
}

function showMessage(node, run) {
  const kind = { failed: "bad", interrupted: "doubt" }[run.state] ?? "";
  const text = run.message ?? "";
  if (node.dataset.text === text + kind) return;
  node.dataset.text = text + kind;
  replace(
    node,
    text && el("div.message", { class: kind }, kind && icon("warning", 18), el("p", { dir: "auto" }, text)),
  );
}

function showProgress(bar, facts, run, losses) {
  bar.hidden = !run.total && !isLive(run);
  if (run.total) bar.value = Math.min(1, run.step / run.total);
  else bar.removeAttribute("value");
  const last = losses.at(-1);
  const left = isLive(run) && run.total ? secondsLeft(losses, run) : null;
  const words = [
    run.total ? `step ${run.step} of ${run.total}` : "",
    left === null ? "" : `about ${length(left)} left`,
    last && Number.isFinite(last.loss) ? `loss ${figure(last.loss)}` : "",
    last?.learning_rate ? `learning rate ${figure(last.learning_rate)}` : "",
    isLive(run) && last?.tokens_per_second ? `${figure(last.tokens_per_second)} tokens/s` : "",
    run.started ? `begun ${when(run.started)}` : "",
  ];
  facts.textContent = words.filter(Boolean).join(" · ");
}

/** By the median of what the last steps took: a pause in between, or one slow step, tells nothing of the others. */
function secondsLeft(losses, run) {
  const dated = losses.filter((one) => one.at).slice(-RATE_STEPS);
  const each = dated
    .slice(1)
    .map((one, at) => (new Date(one.at) - new Date(dated[at].at)) / 1000 / (one.step - dated[at].step));
  const usable = each.filter((one) => one > 0).sort((a, b) => a - b);
  return usable.length ? usable[usable.length >> 1] * (run.total - run.step) : null;
}

function logPanel() {
  const lines = el("div.tune-log", { tabindex: "0", role: "region", "aria-label": "Log" });
  const element = el("section.card", {}, el("h2", {}, "Log"), lines);
  const show = (now) => {
    const text = now.join("\n") || "Nothing was said yet.";
    if (lines.textContent === text) return;
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
    lines.textContent = text;
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  };
  return { element, show };
}

function showSettings(list, options) {
  const drawn = JSON.stringify(options);
  if (list.dataset.drawn === drawn) return;
  list.dataset.drawn = drawn;
  const rows = Object.entries(options).map(([name, value]) =>
    el(
      "div",
      {},
      el("dt", {}, labelOf(name)),
      el("dd", { dir: "auto" }, Array.isArray(value) ? value.join(", ") : String(value)),
    ),
  );
  replace(list, rows);
}
