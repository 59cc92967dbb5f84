// The head of the list: search, statuses with their counts, the further filters in a panel, what is set as chips.

import { el, replace } from "./dom.js";
import { isNarrowed, noFilter, partsOf } from "./filter.js";
import { icon } from "./icons.js";
import { hasSeveral, nameOf } from "./people.js";

const STATUSES = ["pending", "accepted", "rejected", "disputed"];
const SORTS = {
  number: "in order of the file",
  "-number": "from the end",
  "-decided": "decided last",
  "-words": "longest first",
  words: "shortest first",
  "-answer words": "longest answers",
  "answer words": "shortest answers",
  "-turns": "most turns",
  category: "by category",
  status: "by status",
};
const SEARCH_AFTER_MS = 250;
const SHOWN_VALUES = 8;

export class Filters {
  /** `onChange(filter)` when something else is asked for; `context` is the view's. */
  constructor({ context, filter, onChange }) {
    Object.assign(this, { context, filter, onChange });
    this.session = context.session;
    this.counts = {};
    this.unfolded = new Set();
    this.search = this.searchBox();
    this.statuses = el("div.statuses", { role: "group", "aria-label": "Status" });
    this.chips = el("div.filter-chips");
    this.panel = el("div.filter-panel", { id: "filter-panel", hidden: true });
    this.button = el(
      "button.icon-button.filter-button",
      {
        type: "button",
        title: "Filters (F)",
        "aria-label": "Filters",
        "aria-expanded": "false",
        "aria-controls": "filter-panel",
      },
      icon("filter"),
    );
    this.button.addEventListener("click", () => this.toggle());
    const line = el("div.search-line", {}, el("label.search", {}, icon("search", 18), this.search), this.button);
    this.node = el("div.filters", {}, line, this.statuses, this.chips, this.panel);
    this.draw();
  }

  /** Takes up a filter that came from elsewhere (the address). */
  set(filter) {
    this.filter = filter;
    if (document.activeElement !== this.search) this.search.value = filter.text;
    this.draw();
  }

  /** The counts of the view that is shown, by facet. */
  setCounts(counts) {
    this.counts = counts ?? {};
    this.draw();
  }

  toggle(open = this.panel.hidden) {
    this.panel.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.panel.querySelector("input, select, button")?.focus();
    else this.button.focus();
  }

  change(change) {
    this.filter = { ...this.filter, ...change };
    this.draw();
    this.onChange(this.filter);
  }

  clear() {
    this.search.value = "";
    this.change({ ...noFilter(), sort: this.filter.sort });
  }

  searchBox() {
    const input = el("input", {
      type: "search",
      placeholder: "Search texts",
      "aria-label": "Search texts",
      autocomplete: "off",
      spellcheck: "false",
      value: this.filter.text,
    });
    let timer = null;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.change({ text: input.value }), SEARCH_AFTER_MS);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") (clearTimeout(timer), this.change({ text: input.value }));
      if (event.key === "Escape" && !input.value) input.blur();
    });
    return input;
  }

  draw() {
    this.keepFocus(() => {
      replace(this.statuses, this.statusButtons());
      replace(this.chips, this.chipButtons());
      replace(this.panel, this.facets(), this.switches(), this.foot());
    });
    const set = partsOf(this.filter).length;
    replace(this.button, icon("filter"), set > 0 && el("span.badge", { "aria-hidden": "true" }, set));
    this.button.setAttribute("aria-label", set ? `Filters, ${set} set` : "Filters");
    this.chips.hidden = set === 0;
  }

  /** Drawing anew keeps the focus on the control that has it. */
  keepFocus(draw) {
    const key = document.activeElement?.dataset?.key;
    const isOurs = key && this.node.contains(document.activeElement);
    draw();
    if (isOurs) this.node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  statusButtons() {
    const counts = this.counts.status ?? {};
    const all = Object.values(counts).reduce((sum, one) => sum + one, 0);
    const shown = STATUSES.filter((name) => name !== "disputed" || counts.disputed || hasSeveral(this.session));
    const button = (key, label, number, isSet, status) =>
      el(
        "button.status-tab",
        { type: "button", "aria-pressed": String(isSet), dataset: { key }, onclick: () => this.change({ status }) },
        label,
        el("span.tab-count", {}, number === undefined ? "" : compact(number)),
      );
    const chosen = this.filter.status;
    return [
      button("status-all", "all", this.counts.status && all, chosen.length === 0, []),
      shown.map((name) =>
        button(`status-${name}`, name, this.counts.status && (counts[name] ?? 0), chosen.includes(name), [name]),
      ),
    ];
  }

  chipButtons() {
    return partsOf(this.filter).map(({ label, without }) =>
      el(
        "button.filter-chip",
        { type: "button", "aria-label": `Without the filter ${label}`, onclick: () => this.change(without) },
        el("bdi", {}, label),
        icon("close", 14),
      ),
    );
  }

  facets() {
    return [
      this.facet("category", "Category"),
      this.facet("medium", "Medium"),
      this.facet("warning", "Warnings"),
      this.facet("reasons", "Reasons given", this.counts.reason),
    ];
  }

  facet(name, title, counts = this.counts[name]) {
    const chosen = this.filter[name];
    const values = Object.entries(counts ?? {}).sort((one, other) => other[1] - one[1]);
    for (const value of chosen) if (!values.some(([known]) => known === value)) values.unshift([value, 0]);
    const useful = values.filter(([value, number]) => number > 0 || chosen.includes(value));
    if (useful.length === 0) return null;
    const isLong = useful.length > SHOWN_VALUES && !this.unfolded.has(name);
    const shown = isLong ? useful.filter(([value], at) => at < SHOWN_VALUES || chosen.includes(value)) : useful;
    const more = () => (this.unfolded.add(name), this.draw());
    return el(
      "fieldset.facet",
      {},
      el("legend", {}, title),
      shown.map(([value, number]) => this.facetValue(name, value, number, chosen)),
      isLong &&
        el("button.quiet.facet-more", { type: "button", onclick: more }, `${useful.length - shown.length} more`),
    );
  }

  facetValue(name, value, number, chosen) {
    const change = (event) => {
      const rest = chosen.filter((one) => one !== value);
      this.change({ [name]: event.target.checked ? [...rest, value] : rest });
    };
    const key = `${name}:${value}`;
    return el(
      "label.facet-value",
      {},
      el("input", { type: "checkbox", checked: chosen.includes(value), dataset: { key }, onchange: change }),
      el("bdi", {}, value || "(none)"),
      el("span.facet-count", {}, number.toLocaleString("en")),
    );
  }

  switches() {
    const { edited, duplicates, reviewer, assigned_to: assigned, left_to: left } = this.filter;
    const me = this.context.reviewer();
    const people = this.session.reviewers.map((name) => [name, name === me ? `${nameOf(name)} (me)` : nameOf(name)]);
    const choice = { "": null, yes: true, no: false };
    return el(
      "div.filter-more",
      {},
      this.select(
        "Edited",
        "edited",
        edited === null ? "" : edited ? "yes" : "no",
        [
          ["", "all"],
          ["yes", "edited"],
          ["no", "as in the source"],
        ],
        (value) => this.change({ edited: choice[value] }),
      ),
      hasSeveral(this.session) &&
        this.select("Decided by", "reviewer", reviewer ?? "", [["", "anybody or nobody"], ...people], (value) =>
          this.change({ reviewer: value || null }),
        ),
      hasSeveral(this.session) &&
        this.select("Assigned to", "assigned", assigned ?? "", [["", "anybody or nobody"], ...people], (value) =>
          this.change({ assigned_to: value || null }),
        ),
      hasSeveral(this.session) &&
        this.select("Left to", "left", left ?? "", [["", "anybody or nobody"], ...people], (value) =>
          this.change({ left_to: value || null }),
        ),
      this.select("Order", "sort", this.filter.sort, Object.entries(SORTS), (sort) => this.change({ sort })),
      el(
        "label.check",
        {},
        el("input", {
          type: "checkbox",
          checked: duplicates,
          dataset: { key: "duplicates" },
          onchange: (event) => this.change({ duplicates: event.target.checked }),
        }),
        "Only duplicates",
      ),
    );
  }

  select(title, key, value, options, onPick) {
    const select = el(
      "select",
      { dataset: { key }, onchange: () => onPick(select.value) },
      options.map(([name, label]) => el("option", { value: name, selected: name === value }, label)),
    );
    return el("label.field", {}, el("span", {}, title), select);
  }

  foot() {
    return el(
      "div.filter-foot",
      {},
      el(
        "button.quiet",
        { type: "button", disabled: !isNarrowed(this.filter), onclick: () => this.clear() },
        "Clear all",
      ),
      el("button.primary", { type: "button", onclick: () => this.toggle(false) }, "Done"),
    );
  }
}

/** 12,345 -> "12.3k": counts that fit a tab. */
function compact(number) {
  return number < 10_000
    ? number.toLocaleString("en")
    : Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
}
