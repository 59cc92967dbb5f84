// The theme's switch: as the system has it, light, or dark; theme.js sets the choice before the first paint.

import { forget, recall, remember } from "./memory.js";

const THEMES = ["system", "light", "dark"];

export function theme() {
  return recall("theme", "system");
}

/** Goes on to the next theme and returns its name. */
export function cycleTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") {
    forget("theme");
    delete document.documentElement.dataset.theme;
  } else {
    remember("theme", next);
    document.documentElement.dataset.theme = next;
  }
  document.dispatchEvent(new CustomEvent("studio:theme"));
  return next;
}
