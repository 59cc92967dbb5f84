// Times, sizes and names as the views of the model write them.

/** Seconds as on a player: 0:07, 12:30, 1:02:03; with `decimals`, 0:07.5. */
export function clock(seconds, decimals = 0) {
  if (!Number.isFinite(seconds)) return "–";
  const power = 10 ** decimals;
  const all = Math.round(Math.max(0, seconds) * power) / power;
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60)];
  const rest = (all % 60).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A span of time: 0:01.0 – 0:02.5; a moment: 0:01.0. */
export function span([start, end]) {
  return clock(start, 1) === clock(end, 1) ? clock(start, 1) : `${clock(start, 1)} – ${clock(end, 1)}`;
}

export function bytes(number) {
  if (!Number.isFinite(number)) return "";
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, number)) / 3));
  const value = number / 1000 ** power;
  return `${power && value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en")} ${units[power]}`;
}

/** How an adapter is called; null is none. What a run of the studio ends with is called as the run. */
export function adapterName(adapter) {
  return adapter?.replace(/\/final_checkpoint$/, "") ?? "Base model";
}

/** The last part of a model's path or name. */
export function lastPart(model) {
  return (model ?? "").split(/[\\/]/).findLast((part) => part !== "") ?? "";
}

/** What an adapter's base is compared with a model by. */
export function modelName(model) {
  return lastPart(model).toLowerCase();
}

/** The time of day of an ISO date, with the date when it is not today's. */
export function when(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}
