// The export view: what is asked for on one side, what comes of it on the other.

import { get, post } from "./api.js";
import { el } from "./dom.js";
import { ExportForm } from "./export_form.js";
import { ExportReport } from "./export_report.js";
import { recall, remember } from "./memory.js";

const ASKED_EVERY_MS = 400;
const ASKED_OFFLINE_MS = 3000;

export function mount(root, context) {
  const { path } = context.session.dataset;
  const form = new ExportForm(context, { onStart: (asked) => start(asked), before: recall(`export.${path}`, {}) });
  const report = new ExportReport({ onCancel: () => cancel() });
  root.append(
    el(
      "div.page.export",
      {},
      el(
        "header.page-head",
        {},
        el("h1", {}, "Export"),
        el("p.dim", {}, "What was accepted, as files that trainers read."),
      ),
      el("div.export-sides", {}, form.node, report.node),
    ),
  );
  let id = recall(`exporting.${path}`);
  context.shortcut({ keys: "Ctrl+Enter", title: "Start the export", typing: true, run: () => form.submit() });
  if (id) follow({ isOld: true });

  async function start(asked) {
    remember(`export.${path}`, asked);
    form.setBusy(true);
    report.begin();
    try {
      ({ id } = await post("/api/exports", asked));
      remember(`exporting.${path}`, id);
      report.node.focus({ preventScroll: true });
      await follow({});
    } catch (error) {
      report.failed(error.message);
      form.setBusy(false);
      if (error.code === "busy") context.toast(error.message, { kind: "bad" });
    }
  }

  /** Shows an export until it is over. One of an earlier start of the studio is forgotten there. */
  async function follow({ isOld = false }) {
    const mine = id;
    let since = 0;
    while (!context.signal.aborted && mine === id) {
      let wait = ASKED_EVERY_MS;
      try {
        const now = await get(`/api/exports/${mine}`, { query: { since }, signal: context.signal });
        report.show(now);
        since = now.since ?? since + now.lines.length;
        form.setBusy(now.state === "running");
        if (now.state !== "running") return over(now, isOld);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (!error.isOffline) return isOld ? forgetOld() : report.failed(error.message);
        wait = ASKED_OFFLINE_MS;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      isOld = false;
    }
  }

  function over({ state, records, error }, isOld) {
    form.setBusy(false);
    if (isOld) return;
    const said = {
      done: `The export is complete: ${(records ?? 0).toLocaleString("en")} records.`,
      failed: `The export failed: ${error?.message}`,
      cancelled: "The export was cancelled.",
    };
    context.announce(said[state] ?? state);
  }

  function forgetOld() {
    id = null;
    remember(`exporting.${path}`, null);
    report.showNothing();
  }

  /** Whether it is taken. */
  async function cancel() {
    try {
      await post(`/api/exports/${id}/cancel`);
      return true;
    } catch (error) {
      context.toast(error.message, { kind: "bad" });
      return false;
    }
  }
}
