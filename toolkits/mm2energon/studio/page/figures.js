// The figures of the server as rows of plots.

const DAY_MS = 24 * 3600 * 1000;
const MOST_DAYS = 400;

/** {name: number} or {name: {status: number}} as rows, the largest first. */
export function rowsOf(found, naming = (name) => name) {
  const rows = Object.entries(found ?? {}).map(([name, value]) => ({
    label: naming(name),
    parts: typeof value === "number" ? { count: value } : counts(value),
  }));
  const total = ({ parts }) => Object.values(parts).reduce((sum, one) => sum + one, 0);
  return rows.filter((row) => total(row) > 0).sort((one, other) => total(other) - total(one));
}

/** {"2026-11-21": number or {status: number}} as rows in time order, days without any among them. */
export function daysOf(found) {
  const days = Object.keys(found ?? {}).sort();
  if (days.length === 0) return [];
  const [first, last] = [Date.parse(days[0]), Date.parse(days.at(-1))];
  const span = (last - first) / DAY_MS + 1;
  const all =
    Number.isFinite(span) && span <= MOST_DAYS
      ? Array.from({ length: Math.round(span) }, (_, at) => new Date(first + at * DAY_MS).toISOString().slice(0, 10))
      : days;
  return all.map((day) => ({
    label: day,
    parts: typeof found[day] === "number" ? { count: found[day] } : counts(found[day]),
  }));
}

function counts(value) {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, number]) => typeof number === "number"));
}

/**
 * Lengths as rows of a histogram with mean, median and the longest; null where there are none.
 *
 * The server tells each as {mean, median, max, bins: [[from, to, number]]}.
 */
export function lengthsOf(found, name) {
  const told = name === "turns" ? found.turns : found.words?.[name];
  if (!told?.bins?.length) return null;
  const rows = told.bins.map(([from, to, number]) => ({
    label: from === to ? String(from) : `${from}-${to}`,
    parts: { count: number },
  }));
  const widths = new Set(told.bins.slice(0, -1).map(([from, to]) => to - from));
  return {
    rows,
    mean: told.mean ?? null,
    median: told.median ?? null,
    most: told.max ?? null,
    areEven: widths.size <= 1,
  };
}
