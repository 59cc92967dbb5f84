// Entries that are alike, side by side: the open one first, then those of the same content, media, question or text.

import { address, get } from "./api.js";
import { drawChat } from "./chat.js";
import { openDialog } from "./dialogs.js";
import { count, el, replace } from "./dom.js";
import { skeleton } from "./empty.js";
import { broken } from "./media.js";
import { statusChip } from "./row.js";

const SHOWN = 12;

/** Opens the dialog; `groups` are [name, rows]. Resolves to {open: number} or null; `decide(item, do)` decides there. */
export function showAlike({ item, groups, decide, reviewer }) {
  const names = new Map();
  for (const [name, rows] of groups)
    for (const row of rows) names.set(row.number, [...(names.get(row.number) ?? []), name]);
  const numbers = [...names.keys()].slice(0, SHOWN);
  return openDialog({
    title: `${count(names.size, "entry", "entries")} like ${item.origin}`,
    className: "alike-dialog",
    build: (close) => {
      const columns = [column(item, ["the open entry"], { decide, close })];
      for (const number of numbers) columns.push(coming(number, names.get(number), { decide, close, reviewer }));
      const more =
        names.size > SHOWN &&
        el(
          "p.hint",
          {},
          `The first ${SHOWN} of ${names.size.toLocaleString("en")}: the filter "Only duplicates" lists all.`,
        );
      return el(
        "div.body",
        {},
        el(
          "div.alike-columns",
          { tabindex: "0", role: "group", "aria-label": "Entries side by side", autofocus: true },
          columns,
        ),
        more,
      );
    },
  });
}

function coming(number, why, options) {
  const box = el("article.alike-column", { "aria-label": `Entry ${number}` }, skeleton());
  get(`/api/items/${number}`, { query: { reviewer: options.reviewer } }).then(
    (item) => box.replaceWith(column(item, why, options)),
    (error) => replace(box, el("p.message.bad", { dir: "auto" }, error.message)),
  );
  return box;
}

function column(item, why, options) {
  const box = el("article.alike-column", { "aria-label": item.origin });
  const draw = (now) => replace(box, head(now, why, options), media(now), conversation(now), foot(now, options, draw));
  draw(item);
  return box;
}

function head(item, why, { close }) {
  const link = el(
    "button.quiet.alike-open",
    { type: "button", onclick: () => close({ open: item.number }) },
    el("bdi", {}, item.origin),
  );
  return el(
    "header",
    {},
    link,
    el(
      "div.standing-chips",
      {},
      statusChip(item.status),
      why.map((one) => el("span.chip", {}, one)),
    ),
  );
}

function media(item) {
  const [first] = item.media ?? [];
  if (!first) return null;
  if (first.error || !first.url)
    return broken(first, first.error?.message ?? first.message ?? "There is no such file.");
  const source = { src: address(first.url) };
  if (first.kind === "image") return el("img.alike-medium", { ...source, alt: first.name, loading: "lazy" });
  return el(first.kind, {
    ...source,
    controls: true,
    preload: "metadata",
    class: "alike-medium",
    "aria-label": first.name,
  });
}

function conversation(item) {
  return item.sample ? drawChat(item.sample.turns, {}) : el("p.message.bad", {}, "This entry is no sample.");
}

function foot(item, { decide }, draw) {
  const button = (verb, title) =>
    el(
      "button",
      {
        type: "button",
        onclick: async () => draw((await decide(item, verb)) ?? item),
        "aria-pressed": String(item.status === `${verb}ed`),
      },
      title,
    );
  return el("footer", {}, button("accept", "Accept"), button("reject", "Reject"));
}
