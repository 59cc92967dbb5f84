// What the target says of a sample: its tokens, what would be lost in training, and which other targets take it.

import { get } from "./api.js";
import { el, replace } from "./dom.js";
import { skeleton } from "./empty.js";
import { icon } from "./icons.js";
import { recall, remember } from "./memory.js";

export class Check {
  constructor(session) {
    this.session = session;
    this.result = el("div.check-result");
    const target = this.select("Target", "target", session.targets ?? []);
    const model = this.select("Whose tokens", "model", session.models ?? [session.model]);
    const head = el("div.section-head", {}, el("h3", {}, "Target"), target);
    const whose = el("label.section-head", {}, el("span.hint", {}, "Tokens of"), model);
    this.node = el("section", {}, head, this.result, whose);
  }

  /** Asks for an item; of another one than before nothing stays on the screen meanwhile. */
  async load(number, signal) {
    if (number !== this.number) replace(this.result, skeleton([60, 80], "Checking"));
    Object.assign(this, { number, signal });
    const [target, model] = [this.chosen("target"), this.chosen("model")];
    try {
      const found = await get(`/api/items/${number}/check`, { query: { target, model }, signal });
      replace(this.result, tokens(found.tokens), warnings(found.warnings), targets(found, target));
    } catch (error) {
      if (error.name === "AbortError") return;
      replace(this.result, el("p.message.doubt", { dir: "auto" }, error.message));
    }
  }

  /** What was chosen in this browser, as long as the studio knows it. */
  chosen(name) {
    const [known, usual] = [this.session[`${name}s`] ?? [], this.session[name]];
    const remembered = recall(name);
    return known.includes(remembered) ? remembered : usual;
  }

  select(label, name, values) {
    const chosen = this.chosen(name);
    const options = values.map((value) => el("option", { value, selected: value === chosen }, value));
    const node = el("select.target-select", { "aria-label": label }, options);
    node.addEventListener("change", () => {
      remember(name, node.value);
      this.load(this.number, this.signal);
    });
    return node;
  }
}

function tokens(found) {
  if (!found) return el("p.hint", {}, "The tokens of this sample cannot be estimated.");
  const part = (name, number) =>
    el(
      "div",
      {},
      el("dt", {}, name),
      el("dd.number", {}, number === null || number === undefined ? "?" : number.toLocaleString("en")),
    );
  return el(
    "div.tokens",
    {},
    el("dl.token-counts", {}, part("tokens", found.total), part("visual", found.visual), part("text", found.text)),
  );
}

function warnings(found) {
  return (found ?? []).map(({ code, message }) =>
    el(
      "div.message.doubt.warning",
      {},
      icon("warning", 18),
      el("div", {}, el("strong", {}, code), el("p", { dir: "auto" }, message)),
    ),
  );
}

/** What each target says; what stands among the warnings already is named by its code alone. */
function targets({ targets: verdicts, warnings: told = [] }, chosen) {
  const known = new Set(told.map((one) => one.message));
  const why = ({ code, message }) => (known.has(message) ? code : message);
  const lines = Object.entries(verdicts ?? {}).map(([name, verdict]) =>
    el(
      "li",
      { class: verdict ? "target-no" : "target-yes" },
      icon(verdict ? "reject" : "accept", 16),
      el("div", {}, name === chosen ? el("strong", {}, name) : name, verdict && el("p", { dir: "auto" }, why(verdict))),
      el("span.unseen", {}, verdict ? "does not take it" : "takes it"),
    ),
  );
  return lines.length > 0 && el("ul.targets", { "aria-label": "What each target says" }, lines);
}
