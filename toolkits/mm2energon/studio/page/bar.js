// The bar at the top: what is open, the views, how far the index is, who reviews, theme and keys.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { askWhoIAm, hasSeveral, nameOf, reviewerOf } from "./people.js";
import { showShortcuts } from "./shortcuts.js";
import { cycleTheme, theme } from "./themes.js";

export function drawBar(bar, session, views) {
  const index = el("div.indexing", { hidden: true });
  replace(
    bar,
    brand(session),
    navigation(views),
    el("div.bar-end", {}, index, person(session), themeButton(), keysButton()),
  );
  document.addEventListener("studio:changes", () => drawIndexing(index, session.dataset));
  drawIndexing(index, session.dataset);
}

function brand(session) {
  const { name = "", path = "" } = session.dataset ?? {};
  return el(
    "a.brand",
    { href: "#/review", title: path },
    el("img", { src: "icon.svg", alt: "", width: 24, height: 24 }),
    el("span.brand-name", {}, "studio"),
    el("bdi.brand-file", {}, name),
  );
}

function navigation(views) {
  const links = views.map((view) =>
    el(
      "a",
      { href: `#/${view.name}`, "aria-label": view.title, dataset: { view: view.name } },
      icon(view.icon, 20),
      el("span.long", {}, view.title),
      el("span.short", { "aria-hidden": "true" }, view.short ?? view.title),
    ),
  );
  document.addEventListener("studio:view", ({ detail }) => {
    for (const link of links) {
      if (link.dataset.view === detail.name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  });
  return el("nav", { "aria-label": "Views" }, links);
}

function person(session) {
  const name = el("bdi", {});
  const draw = () => {
    name.textContent = nameOf(reviewerOf(session));
    button.hidden = !hasSeveral(session) && !reviewerOf(session);
  };
  const button = el("button.quiet.person", {
    type: "button",
    title: "Who I am (W)",
    onclick: () => askWhoIAm(session),
  });
  button.append(icon("person", 18), el("span.unseen", {}, "Who I am:"), name);
  document.addEventListener("studio:reviewer", draw);
  draw();
  return button;
}

const THEME_ICONS = { system: "system", light: "light", dark: "dark" };

function themeButton() {
  const button = el("button.icon-button", { type: "button", onclick: () => cycleTheme() });
  const draw = () => {
    replace(button, icon(THEME_ICONS[theme()], 20));
    button.setAttribute("aria-label", `Theme: ${theme()}`);
    button.title = `Theme: ${theme()} (Shift+T)`;
  };
  document.addEventListener("studio:theme", draw);
  draw();
  return button;
}

function keysButton() {
  const open = () => showShortcuts();
  return el(
    "button.icon-button.keys-button",
    { type: "button", "aria-label": "Keys", title: "Keys (?)", onclick: open },
    icon("help"),
  );
}

function drawIndexing(box, { indexed, count = 0, total = null, problem = null }) {
  box.hidden = indexed === true || Boolean(problem);
  if (box.hidden) return;
  const text = total
    ? `${count.toLocaleString("en")} of ${total.toLocaleString("en")}`
    : `${count.toLocaleString("en")} so far`;
  replace(box, el("span.spinner", { "aria-hidden": "true" }), el("span", {}, `Indexing: ${text}`));
}
