// What happens elsewhere: decisions of others and the index that grows, asked for every second or two.

import { connection, get, online } from "./api.js";
import { el, replace } from "./dom.js";
import { icon } from "./icons.js";

const SECONDS_BETWEEN = 1.5;
const SECONDS_HIDDEN = 15;
const SECONDS_OFFLINE = 3;

let since = null;

/**
 * Asks until the page is closed; tells the page as `studio:changes` and shows a lost connection.
 *
 * Resolves with the first answer: what is fetched after it is told of whatever changes from then on.
 */
export function watchChanges(session) {
  const notice = document.getElementById("notice");
  connection.addEventListener("offline", () => showOffline(notice));
  connection.addEventListener("online", () => (notice.hidden = true));
  document.addEventListener("visibilitychange", () => document.hidden || ask(session));
  return ask(session);
}

let timer = null;

async function ask(session) {
  clearTimeout(timer);
  try {
    const changes = await get("/api/changes", { query: { since: since ?? undefined } });
    const isFirst = since === null;
    since = changes.since;
    const { count, indexed, total = null, problem = null } = changes;
    Object.assign(session.dataset, { count, indexed, total: total ?? session.dataset.total, problem });
    document.dispatchEvent(new CustomEvent("studio:changes", { detail: { ...changes, isFirst } }));
  } catch {
    // Said by the notice; asked again below.
  }
  const seconds = online() ? (document.hidden ? SECONDS_HIDDEN : SECONDS_BETWEEN) : SECONDS_OFFLINE;
  timer = setTimeout(() => ask(session), seconds * 1000);
}

function showOffline(notice) {
  replace(
    notice,
    icon("offline", 18),
    el("span", {}, "The server does not answer. What you decide is kept in this browser and sent when it is back."),
  );
  notice.hidden = false;
}
