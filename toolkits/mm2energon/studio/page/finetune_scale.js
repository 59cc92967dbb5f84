// The arithmetic of the loss chart: round ticks, a line from values to pixels, a running mean, points that are too many.

/** Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them, that lie within [low, high]. */
export function roundTicks(low, high, wanted, { whole = false } = {}) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = power * ([1, 2, 5].find((times) => times * power >= rough * 0.999) ?? 10);
  if (whole) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) {
    ticks.push(Number((n * step).toPrecision(12)));
  }
  return ticks;
}

/** The range that shows all values, widened to round numbers; of nothing, or one value, a range around it. */
export function niceRange(values) {
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return [0, 1];
  let [low, high] = [finite[0], finite[0]];
  for (const value of finite) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > 0 && low < 0.5 * high) low = 0;
  if (low === high) [low, high] = [low - Math.max(0.5, Math.abs(low) / 2), high + Math.max(0.5, Math.abs(high) / 2)];
  const ticks = roundTicks(low, high, 4);
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : high - low;
  const round = (value, to) => Number((to(Number((value / step).toFixed(9))) * step).toPrecision(12));
  return [round(low, Math.floor), round(high, Math.ceil)];
}

/** A function from values of [low, high] to pixels of [from, to]. */
export function line([low, high], [from, to]) {
  const width = high - low || 1;
  return (value) => from + ((value - low) / width) * (to - from);
}

/**
 * An exponential running mean, without the pull to its start: each value weighs (1 - weight) of what is left, and the
 * sum is divided by all weights so far (as in Adam: Kingma & Ba, arXiv 1412.6980, section 3).
 */
export function smoothed(points, weight) {
  let [mean, count] = [0, 0];
  return points.map(({ step, loss }) => {
    if (!Number.isFinite(loss)) return { step, loss };
    mean = weight * mean + (1 - weight) * loss;
    count += 1;
    return { step, loss: mean / (1 - weight ** count) };
  });
}

/** At most about `most` points: of each stretch the lowest and the highest, so that no peak is lost. */
export function thinned(points, most) {
  if (points.length <= most) return points;
  const kept = [];
  const stretch = (2 * points.length) / most;
  for (let from = 0; from < points.length; from += stretch) {
    const some = points.slice(Math.floor(from), Math.floor(from + stretch));
    if (!some.length) continue;
    const low = some.reduce((a, b) => (b.loss < a.loss ? b : a));
    const high = some.reduce((a, b) => (b.loss > a.loss ? b : a));
    kept.push(...(low === high ? [low] : low.step < high.step ? [low, high] : [high, low]));
  }
  return kept;
}

/** The place of the point whose step is nearest, in points that ascend by step; -1 of none. */
export function nearest(points, step) {
  let [low, high] = [0, points.length - 1];
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].step <= step) low = middle;
    else high = middle;
  }
  return Math.abs(points[low].step - step) <= Math.abs(points[high].step - step) ? low : high;
}
