// How far reviewers agree: Cohen's kappa with its table for each pair.

import { count, el } from "./dom.js";
import { nameOf } from "./people.js";

export function agreementSection(pairs) {
  const content = pairs.length
    ? el("div.pairs-of-reviewers", {}, pairs.map(pairCard))
    : el("p.hint", {}, "No two reviewers have decided on the same entry yet.");
  return el(
    "section.card.agreement",
    {},
    el("h2", {}, "Agreement"),
    el("p.hint", {}, "Cohen's kappa: 1 is full agreement, 0 is what chance alone would give."),
    content,
  );
}

function pairCard(pair) {
  const [first, second] = pair.reviewers.map(nameOf);
  return el(
    "article.pair",
    { "aria-label": `${first} and ${second}` },
    el("h3", {}, el("bdi", {}, first), " and ", el("bdi", {}, second)),
    el(
      "dl.figure-numbers",
      {},
      number("kappa", pair.kappa === null ? "not defined" : pair.kappa.toFixed(2)),
      number("agree on", pair.agreement === null ? "-" : `${(pair.agreement * 100).toFixed(1)} %`),
      number("of", count(pair.count, "entry", "entries")),
    ),
    pair.kappa === null && pair.undefined && el("p.hint", { dir: "auto" }, pair.undefined),
    pair.table?.length > 0 && crossTable(pair, first, second),
  );
}

function number(name, value) {
  return el("div.figure-number", {}, el("dt", {}, name), el("dd.number", {}, value));
}

function crossTable({ labels, table }, first, second) {
  const label = `${first} (rows) and ${second} (columns)`;
  return el(
    "div.table-frame",
    { tabindex: "0", role: "region", "aria-label": label },
    el(
      "table.cross",
      {},
      el("caption.hint", {}, "Rows: ", el("bdi", {}, first), "; columns: ", el("bdi", {}, second)),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("td"),
          labels.map((one) => el("th.number", { scope: "col" }, one)),
        ),
      ),
      el(
        "tbody",
        {},
        table.map((row, at) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, labels[at]),
            row.map((value, column) =>
              el("td.number", { class: column === at ? "agrees" : "" }, value.toLocaleString("en")),
            ),
          ),
        ),
      ),
    ),
  );
}
