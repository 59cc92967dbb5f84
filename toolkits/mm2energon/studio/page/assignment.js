// Sharing entries out to reviewers, to one each or to several for double review.

import { post } from "./api.js";
import { el } from "./dom.js";
import { nameOf } from "./people.js";

/** The form; `onDone()` when entries were shared out. */
export function assignmentSection(context, onDone) {
  const names = context.session.reviewers;
  const boxes = names.map((name) =>
    el(
      "label.check",
      {},
      el("input", { type: "checkbox", name: "reviewer", value: name, checked: true }),
      el("bdi", {}, nameOf(name)),
    ),
  );
  const each = el(
    "select",
    { name: "per_entry" },
    names.map((_, at) => el("option", { value: at + 1 }, at === 0 ? "one reviewer" : `${at + 1} reviewers`)),
  );
  const onlyNew = el("input", { type: "checkbox" });
  const problem = el("p.problem", { role: "alert" });
  const send = async (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    problem.textContent = "";
    const chosen = data.getAll("reviewer");
    if (chosen.length === 0) return void (problem.textContent = "Choose a reviewer.");
    const sure = {
      title: onlyNew.checked ? "Share out what nobody has?" : "Share out all entries?",
      text: onlyNew.checked
        ? "Each reviewer gets an even share of the entries that nobody has yet; all others stay where they are."
        : "Each reviewer gets an even share. What was shared out before is shared out anew; decisions stay.",
      yes: "Share out",
    };
    if (!(await context.confirm(sure))) return;
    const asked = { reviewers: chosen, per_entry: Number(data.get("per_entry")), only_new: onlyNew.checked };
    await shareOut(context, asked, problem, onDone);
  };
  return el(
    "section.card.assignment",
    {},
    el("h2", {}, "Share out"),
    el(
      "p.hint",
      {},
      "Give every entry to one reviewer, or to several: then it is pending until as many have decided, and how far they agree stands above.",
    ),
    el(
      "form.assignment-form",
      { onsubmit: send },
      el("fieldset.assignment-people", {}, el("legend.label", {}, "Reviewers"), boxes),
      el("label.field", {}, el("span", {}, "Each entry goes to"), each),
      el("label.check", {}, onlyNew, "Only entries that nobody has yet"),
      el("button", { type: "submit" }, "Share out"),
      problem,
    ),
  );
}

async function shareOut(context, asked, problem, onDone) {
  try {
    const { shares } = await post("/api/assignments", asked);
    const told = Object.entries(shares).map(([name, number]) => `${nameOf(name)} ${number.toLocaleString("en")}`);
    context.toast(`Shared out: ${told.join(", ")}`, { kind: "good" });
    onDone();
  } catch (error) {
    problem.textContent = error.message;
  }
}
