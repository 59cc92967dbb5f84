// The page's frame: it opens the session, draws the bar, and shows the view that the address names.

import * as api from "./api.js";
import { drawBar } from "./bar.js";
import { watchChanges } from "./changes.js";
import { closeDialogs, confirm, dialogIsOpen, openDialog } from "./dialogs.js";
import { el, replace } from "./dom.js";
import { emptyState } from "./empty.js";
import { logIn } from "./login.js";
import { askWhoIAm, reviewerOf } from "./people.js";
import { shortcut, showShortcuts, startShortcuts } from "./shortcuts.js";
import { cycleTheme } from "./themes.js";
import { announce, toast } from "./toasts.js";

/** The views: each is a module `export function mount(root, context)`, loaded when it is first asked for. */
const VIEWS = [
  { name: "review", title: "Review", icon: "review", module: "./review.js" },
  { name: "statistics", title: "Statistics", icon: "statistics", module: "./statistics.js" },
  { name: "export", title: "Export", icon: "export", module: "./export.js" },
  { name: "try", title: "Try a model", short: "Try", icon: "try", module: "./try.js" },
  { name: "finetune", title: "Fine-tune", short: "Tune", icon: "finetune", module: "./finetune.js" },
];

const main = document.getElementById("main");
let session = null;
let shown = null;
// View -> the address at which it was left.
const places = new Map();

/** `#/review/12?text=dog` -> {view: "review", rest: ["12"], params}. */
function readRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map(decode);
  return { view: VIEWS.some((one) => one.name === view) ? view : "review", rest, params: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Goes to an address of the page; with `replace` the way back skips where we are. */
export function navigate(hash, { replace: silently = false } = {}) {
  if (silently) {
    history.replaceState(null, "", hash);
    showRoute();
  } else location.hash = hash;
}

/**
 * What a view gets. `session`, `api`, `reviewer()`, `toast`, `announce`, `confirm`, `openDialog`, `navigate`;
 * `signal` (aborted when the view is left: pass it to listeners, requests, streams), `shortcut({keys, title, run})`,
 * `onRoute(run)` (the address changed within the view), `guard(run)` (async; false keeps the view), `route()`.
 */
function contextFor(view, controller) {
  const { signal } = controller;
  return {
    session,
    api,
    signal,
    toast,
    announce,
    confirm,
    openDialog,
    navigate,
    route: () => readRoute(location.hash),
    reviewer: () => reviewerOf(session),
    shortcut: (one) => shortcut({ group: view.title, ...one, signal }),
    onRoute: (run) => (shown.onRoute = run),
    guard: (run) => (shown.guard = run),
    onChanges: (run) => document.addEventListener("studio:changes", (event) => run(event.detail), { signal }),
    onReviewer: (run) => document.addEventListener("studio:reviewer", run, { signal }),
  };
}

/** Who comes back to a view finds it as it was left: its filters, and the entry that was open. */
function comeBack({ oldURL }) {
  const left = new URL(oldURL).hash;
  const [from, to] = [readRoute(left), readRoute(location.hash)];
  if (from.view === to.view) return;
  places.set(from.view, left);
  const place = places.get(to.view);
  if (location.hash === `#/${to.view}` && place) history.replaceState(null, "", place);
}

async function showRoute() {
  const route = readRoute(location.hash);
  if (shown?.view.name === route.view) {
    shown.hash = location.hash;
    shown.onRoute?.(route);
    return;
  }
  if (shown?.guard && !(await shown.guard())) {
    history.replaceState(null, "", shown.hash);
    return;
  }
  await showView(VIEWS.find((one) => one.name === route.view));
}

async function showView(view) {
  const isFirst = shown === null;
  shown?.controller.abort();
  const controller = new AbortController();
  const mine = (shown = { view, controller, hash: location.hash });
  document.documentElement.dataset.view = view.name;
  document.title = `${view.title} · ${session.dataset?.name ?? "mm2energon studio"}`;
  document.dispatchEvent(new CustomEvent("studio:view", { detail: view }));
  try {
    const module = await import(view.module);
    if (mine !== shown) return;
    const root = el("div.view", { class: `view-${view.name}` });
    replace(main, root);
    module.mount(root, contextFor(view, controller));
  } catch (error) {
    if (mine !== shown) return;
    console.error(error);
    replace(main, emptyState({ icon: "warning", title: `${view.title} could not be shown`, text: error.message }));
  }
  if (!isFirst && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
  if (!isFirst) announce(view.title);
}

async function openSession() {
  for (;;) {
    try {
      return await api.get("/api/session");
    } catch (error) {
      if (error.status === 401) await logIn();
      else await waitAndSay(error);
    }
  }
}

function waitAndSay(error) {
  return new Promise((resolve) => {
    const again = el(
      "button.primary",
      { type: "button", onclick: () => (clearTimeout(timer), resolve()) },
      "Try again",
    );
    const timer = setTimeout(resolve, 4000);
    const text = error.isOffline ? "It is tried again every few seconds." : error.message;
    const state = emptyState({ icon: "offline", title: "The studio's server does not answer", text, actions: [again] });
    if (!main.querySelector(".empty")) replace(main, state);
    else main.querySelector(".empty").replaceWith(state);
  });
}

function registerKeys() {
  shortcut({ keys: "?", title: "Show the keys", run: () => void showShortcuts() });
  shortcut({ keys: "Shift+T", title: "Theme: system, light, dark", run: () => announce(`Theme: ${cycleTheme()}`) });
  shortcut({ keys: "w", title: "Who I am", run: () => void askWhoIAm(session) });
  VIEWS.forEach((view, at) => {
    shortcut({ keys: String(at + 1), title: view.title, run: () => navigate(`#/${view.name}`) });
  });
}

async function start() {
  document.getElementById("skip").addEventListener("click", (event) => (event.preventDefault(), main.focus()));
  session = await openSession();
  drawBar(document.getElementById("bar"), session, VIEWS);
  registerKeys();
  startShortcuts();
  const watched = watchChanges(session);
  // A token that ran out while the page was open: asked for again, nothing on the page is lost.
  api.connection.addEventListener("login", () => !dialogIsOpen() && logIn());
  window.addEventListener("hashchange", (event) => {
    if (!location.hash.startsWith("#/")) return;
    closeDialogs();
    comeBack(event);
    showRoute();
  });
  await watched;
  await showRoute();
}

start();
