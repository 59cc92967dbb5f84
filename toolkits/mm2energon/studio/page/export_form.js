// What is to be exported: status, templates, folder, splits, the CSV, shards; remembered for the next time.

import { post } from "./api.js";
import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { hasSeveral } from "./people.js";

const STATUSES = ["accepted", "pending", "rejected", "disputed", "any"];
const SPLITS = [
  ["train", 90],
  ["val", 5],
  ["test", 5],
];

export class ExportForm {
  /** `onStart(asked)`; `before` is what was asked for the last time. */
  constructor(context, { onStart, before }) {
    Object.assign(this, { context, session: context.session, onStart, before });
    this.counts = {};
    this.problem = el("p.problem", { role: "alert", id: "export-problem" });
    this.button = el("button.primary.export-start", { type: "submit" }, icon("export", 18), "Export");
    this.node = el(
      "form.card.export-form",
      { "aria-label": "What to export", onsubmit: (event) => (event.preventDefault(), this.submit()) },
      this.what(),
      this.templates(),
      this.folder(),
      el(
        "div.export-choices",
        {},
        this.splits(),
        this.session.dataset.kind === "csv" && this.csv(),
        this.shards(),
        this.more(),
      ),
      el("div.export-foot", {}, this.problem, this.button),
    );
    this.loadCounts();
  }

  /** Starts, or says what is missing. */
  submit() {
    if (this.button.disabled) return;
    const asked = this.read();
    const problem = this.problemOf(asked);
    this.problem.textContent = problem?.text ?? "";
    this.output.setAttribute("aria-invalid", String(problem?.field === this.output));
    if (problem) problem.field.focus();
    else this.onStart(asked);
  }

  setBusy(isBusy) {
    this.button.disabled = isBusy;
    replace(
      this.button,
      isBusy ? el("span.spinner", { "aria-hidden": "true" }) : icon("export", 18),
      isBusy ? "Exporting" : "Export",
    );
  }

  read() {
    const data = new FormData(this.node);
    const number = (name) => Number(data.get(name) || 0);
    const asked = {
      status: data.get("status"),
      templates: this.chosen(),
      output: String(data.get("output")).trim(),
      splits: data.has("split") ? { train: number("train"), val: number("val"), test: number("test") } : null,
      update_csv: data.has("update_csv"),
      shards: data.has("shards"),
      check_videos: data.has("check_videos"),
      absolute_paths: data.has("absolute_paths"),
      overwrite: data.has("overwrite"),
      seed: number("seed"),
    };
    if (asked.shards)
      Object.assign(asked, { target: data.get("target"), interval: Number(data.get("interval")) || null });
    return asked;
  }

  /** Names of templates; what was chosen as a whole is named as a whole, for nobody expects each to hold each sample. */
  chosen() {
    const names = this.boxes.filter((box) => box.checked).map((box) => box.value);
    if (names.length === this.boxes.length) return ["all"];
    const isLegacy = names.length > 0 && this.session.templates.every((one) => one.legacy === names.includes(one.name));
    return isLegacy ? ["all-legacy"] : names;
  }

  problemOf({ templates, shards, output, splits }) {
    if (templates.length === 0 && !shards)
      return { text: "Choose a template, or shards.", field: this.boxes[0] ?? this.output };
    if (!output) return { text: "Name a folder.", field: this.output };
    if (splits && splits.train + splits.val + splits.test <= 0)
      return { text: "One of the shares has to be above 0.", field: this.node.elements.train };
    return null;
  }

  what() {
    const chosen = STATUSES.includes(this.before.status) ? this.before.status : "accepted";
    this.amounts = new Map(STATUSES.map((name) => [name, el("span.facet-count")]));
    const shown = STATUSES.filter((name) => name !== "disputed" || hasSeveral(this.session));
    const choices = shown.map((name) =>
      el(
        "label.pill",
        {},
        el("input", { type: "radio", name: "status", value: name, checked: name === chosen }),
        el("span", {}, name),
        this.amounts.get(name),
      ),
    );
    return el("fieldset.export-part", {}, el("legend", {}, "Entries"), el("div.pills", {}, choices));
  }

  templates() {
    const all = this.session.templates ?? [];
    const before = this.before.templates ?? all.slice(0, 1).map((one) => one.name);
    const isChosen = ({ name, legacy }) =>
      before.includes("all") || before.includes(name) || (legacy && before.includes("all-legacy"));
    this.boxes = [];
    const box = (one) => {
      const input = el("input", {
        type: "checkbox",
        name: "template",
        value: one.name,
        checked: isChosen(one),
      });
      this.boxes.push(input);
      return el(
        "label.template",
        {},
        input,
        el("span", {}, el("span.template-title", {}, one.title), el("span.template-name", {}, one.name)),
      );
    };
    const group = (title, some) =>
      some.length > 0 && [title && el("p.export-sub", {}, title), el("div.templates", {}, some.map(box))];
    const current = group(
      "",
      all.filter((one) => !one.legacy),
    );
    const legacy = group(
      "As the first annotation tool wrote them",
      all.filter((one) => one.legacy),
    );
    const set = (checked) => this.boxes.forEach((input) => (input.checked = checked));
    const button = (title, checked, label) =>
      el("button.quiet", { type: "button", "aria-label": label, onclick: () => set(checked) }, title);
    return el(
      "fieldset.export-part",
      {},
      el("legend", {}, "Templates"),
      el(
        "div.export-tools",
        {},
        button("All", true, "Choose all templates"),
        button("None", false, "Choose no template"),
      ),
      current,
      legacy,
    );
  }

  folder() {
    const [first, ...others] = this.session.output_roots ?? [];
    const also = others.length > 0 ? `, or a whole path below ${others.join(" or ")}` : "";
    this.output = el("input", {
      type: "text",
      name: "output",
      value: this.before.output ?? "export",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": "output-hint export-problem",
    });
    const hint = el("p.hint", { id: "output-hint", dir: "auto" }, first ? `Below ${first}${also}.` : "");
    return el("div.export-part", {}, el("label.field", {}, el("span.legend", {}, "Folder"), this.output), hint);
  }

  splits() {
    const before = this.before.splits;
    const shares = el(
      "div.shares",
      { hidden: !before },
      SPLITS.map(([name, share]) =>
        el(
          "label.field",
          {},
          el("span", {}, name),
          el("input", {
            type: "number",
            name,
            min: "0",
            step: "any",
            value: before?.[name] ?? share,
            inputmode: "decimal",
          }),
        ),
      ),
    );
    const toggle = this.check(
      "split",
      "Split by video: no video is in two splits",
      Boolean(before),
      (checked) => (shares.hidden = !checked),
    );
    return el("div.export-part", {}, toggle, shares);
  }

  csv() {
    return el(
      "div.export-part",
      {},
      this.check(
        "update_csv",
        "Write the decisions into the CSV (a copy is made first)",
        this.before.update_csv ?? true,
      ),
    );
  }

  shards() {
    const { targets = [], target, interval } = this.session;
    const chosen = this.before.target ?? target;
    const options = el(
      "div.shares",
      { hidden: !this.before.shards },
      el(
        "label.field",
        {},
        el("span", {}, "Target"),
        el(
          "select",
          { name: "target" },
          targets.map((name) => el("option", { value: name, selected: name === chosen }, name)),
        ),
      ),
      el(
        "label.field",
        {},
        el("span", {}, "Seconds between frames"),
        el("input", {
          type: "number",
          name: "interval",
          min: "0.001",
          step: "any",
          value: this.before.interval ?? interval ?? 0.5,
          inputmode: "decimal",
        }),
      ),
      el("p.hint", {}, "Unless split above: 9 in 10 to train, the others to val."),
    );
    const toggle = this.check(
      "shards",
      "Write shards for training, too",
      Boolean(this.before.shards),
      (checked) => (options.hidden = !checked),
    );
    return el("div.export-part", {}, toggle, options);
  }

  more() {
    const { before } = this;
    return el(
      "details.export-part.export-more",
      {},
      el("summary", {}, "More"),
      this.check("check_videos", "Open each video, and skip what cannot be decoded", before.check_videos ?? true),
      this.check("absolute_paths", "Name media by absolute paths", before.absolute_paths ?? false),
      this.check("overwrite", "Replace files that mm2energon did not write", false),
      el(
        "label.field.seed",
        {},
        el("span", {}, "Seed of the splits"),
        el("input", { type: "number", name: "seed", min: "0", step: "1", value: before.seed ?? 42 }),
      ),
    );
  }

  check(name, title, checked, onChange = () => {}) {
    const input = el("input", { type: "checkbox", name, checked, onchange: () => onChange(input.checked) });
    return el("label.check", {}, input, el("span", {}, title));
  }

  /** How many entries each status has; an export is not held up by it. */
  async loadCounts() {
    try {
      const { counts } = await post("/api/views", {}, { signal: this.context.signal });
      const all = Object.values(counts.status).reduce((sum, one) => sum + one, 0);
      for (const [name, node] of this.amounts)
        node.textContent = (name === "any" ? all : (counts.status[name] ?? 0)).toLocaleString("en");
    } catch {
      // The form works without them.
    }
  }
}
