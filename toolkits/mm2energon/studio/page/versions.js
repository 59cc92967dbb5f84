// What reviewers made of one entry, side by side; who settles a dispute chooses one of these for all.

import { drawChat } from "./chat.js";
import { openDialog } from "./dialogs.js";
import { count, el } from "./dom.js";
import { icon } from "./icons.js";
import { nameOf } from "./people.js";
import { statusChip } from "./row.js";

/** The versions of an entry: those who accept the same text and category stand together, each who rejects alone. */
function versionsOf({ opinions = {}, original, sample }) {
  const source = original ?? sample;
  const found = new Map();
  for (const [name, said] of Object.entries(opinions)) {
    const turns = (said.sample ?? source)?.turns ?? [];
    const isAccepted = said.status === "accepted";
    const key = isAccepted ? JSON.stringify([turns, said.category]) : `rejected by ${name}`;
    const one = found.get(key) ?? { ...said, turns, names: [], reasons: [], isAccepted };
    one.names.push(name);
    if (said.reason) one.reasons.push(said.reason);
    found.set(key, one);
  }
  return [...found.values()];
}

/** How many different texts are accepted: of two somebody has to choose one. */
export function acceptedVersions(item) {
  return versionsOf(item).filter((one) => one.isAccepted).length;
}

/** Opens the dialog; the decision that was chosen, or null. */
export function showVersions(item) {
  const versions = versionsOf(item);
  const categories = new Set(versions.map(({ category }) => category));
  const accept = ({ turns, category, reasons }) => ({
    do: "settle-accept",
    turns,
    category: category === item.category ? null : category,
    reason: reasons[0] ?? "",
  });
  const source = (item.original ?? item.sample)?.turns ?? [];
  return openDialog({
    title: `What reviewers made of ${item.origin}`,
    className: "alike-dialog",
    build: (close) =>
      el(
        "div.body",
        {},
        el("p.hint", {}, "Choose one: it holds for all. What the others wrote stays in the history."),
        el(
          "div.alike-columns",
          { tabindex: "0", role: "group", "aria-label": "Versions side by side" },
          versions.map((one, at) => column(one, source, { close, accept, isFirst: at === 0, withCategory: categories.size > 1 })),
        ),
      ),
  });
}

function column(version, source, { withCategory, ...options }) {
  const names = version.names.map(nameOf).join(", ");
  const changed = version.turns.filter((turn, at) => isChanged(turn, source[at])).length;
  const edit = changed > 0 ? `${count(changed, "turn")} edited` : version.isAccepted && "as in the source";
  return el(
    "article.alike-column",
    { "aria-label": names },
    el(
      "header",
      {},
      el("h3", { dir: "auto" }, names),
      el(
        "div.standing-chips",
        {},
        statusChip(version.status),
        edit && el("span.chip", {}, edit),
        withCategory && el("span.chip", { dir: "auto" }, version.category || "no category"),
      ),
    ),
    version.reasons.map((reason) => el("p.reason", { dir: "auto" }, reason)),
    drawChat(version.turns, { isChanged: (at) => isChanged(version.turns[at], source[at]) }),
    el("footer", {}, choice(version, names, options)),
  );
}

function choice(version, names, { close, accept, isFirst }) {
  const decide = () => close(version.isAccepted ? accept(version) : { do: "settle-reject", reason: version.reasons[0] ?? "" });
  return el(
    "button",
    { type: "button", autofocus: isFirst, onclick: decide, class: version.isAccepted ? "primary" : "danger" },
    icon(version.isAccepted ? "accept" : "reject", 16),
    version.isAccepted ? `Choose this of ${names}` : `Reject, as ${names}`,
  );
}

function isChanged(turn, before) {
  return turn.text !== before?.text || turn.role !== before?.role;
}
