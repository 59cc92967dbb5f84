// The timeline: of each round the frames that were sampled, the spans that were found, and where the player is.

import { count, el, replace, svg } from "./dom.js";
import { adapterName, clock, span } from "./try_words.js";
import { roundTicks } from "./finetune_scale.js";

/** So near to a tick, in pixels, a click means the frame. */
const REACH_PIXELS = 8;
/** A span of a moment is as wide as this, also at the very end (try_timeline.css has the same). */
const LEAST_PIXELS = 3;
const STEPS_OF_AXIS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

/** The timeline of a video. `onSeek(seconds)`; methods: `setVideo(video, player)`, `show(told)`, `clear()`. */
export function timeline({ signal, onSeek: seek }) {
  const lanes = el("div.try-lanes");
  const axis = el("div.try-axis", { "aria-hidden": "true" });
  const element = el("section.try-timeline", { "aria-label": "Timeline", hidden: true }, lanes, axis);
  const state = { duration: 0, player: null, told: null, drawn: "" };
  const moveHead = () => {
    const at = state.player && state.duration ? state.player.currentTime / state.duration : 0;
    element.style.setProperty("--at", String(Math.min(1, at)));
  };
  const onSeek = (seconds) => {
    seek(seconds);
    moveHead();
  };
  const follow = () => {
    moveHead();
    if (state.player && !state.player.paused && !signal.aborted) requestAnimationFrame(follow);
  };

  const setVideo = (video, player) => {
    Object.assign(state, { player, duration: video?.duration || 0, drawn: "" });
    if (!player) return;
    for (const name of ["seeking", "seeked", "timeupdate", "pause"])
      player.addEventListener(name, moveHead, { signal });
    player.addEventListener("play", follow, { signal });
    player.addEventListener(
      "loadedmetadata",
      () => {
        if (Number.isFinite(player.duration) && player.duration > 0) state.duration = player.duration;
        drawAxis(axis, state.duration, onSeek);
        if (state.told) show(state.told);
        moveHead();
      },
      { signal },
    );
    drawAxis(axis, state.duration, onSeek);
    moveHead();
  };
  const show = (told) => {
    state.told = told;
    const drawn = keyOf(told, state.duration);
    if (drawn === state.drawn) return;
    state.drawn = drawn;
    const several = told.sides.length > 1;
    element.hidden = !told.sides.some((side) => side.rounds.length);
    const before = lanes.scrollTop;
    replace(
      lanes,
      told.sides.filter((side) => side.rounds.length).map((side) => sideOf(side, several, state.duration, onSeek)),
    );
    // Many rounds are scrolled; what comes now comes at the end.
    lanes.scrollTop = told.state === "answering" ? lanes.scrollHeight : before;
  };
  const clear = () => {
    Object.assign(state, { drawn: "", told: null });
    element.hidden = true;
    replace(lanes);
  };
  return { element, setVideo, show, clear };
}

/** What decides how the lanes look: they are not drawn anew for each token. */
function keyOf(told, duration) {
  const rounds = told.sides.map((side) =>
    side.rounds.map((round) => `${round.number}:${round.frames.length}:${JSON.stringify(round.spans)}`),
  );
  return `${duration} ${JSON.stringify(rounds)}`;
}

function sideOf(side, several, duration, onSeek) {
  const name = adapterName(side.adapter);
  const lanes = side.rounds.map((round) => lane(round, several ? name : "", side.of, duration, onSeek));
  return el("div.try-side-lanes", {}, several && el("p.try-lanes-name", { dir: "auto" }, name), lanes);
}

function lane(round, name, of, duration, onSeek) {
  const label = of > 1 ? `Round ${round.number}` : "Frames";
  const frames = round.frames.filter(Number.isFinite);
  const track = trackOf({
    frames,
    spans: round.spans ?? [],
    label: name ? `${name}, ${label}` : label,
    duration,
    onSeek,
  });
  const chips = (round.spans ?? []).map((one) => {
    const chip = el("button.try-chip", { type: "button", onclick: () => onSeek(one[0]) }, span(one));
    chip.setAttribute("aria-label", `Go to the span ${span(one)}`);
    return chip;
  });
  const found =
    round.spans === null
      ? null
      : chips.length
        ? el("span.try-found", {}, "found", chips)
        : round.note || "no span found";
  const words = el("div.try-lane-words", {}, count(frames.length, "frame"), found && " · ", found);
  return el("div.try-lane", {}, el("span.try-lane-label", {}, label), track, words);
}

/** The track moves from frame to frame by the arrow keys, as a slider; bars and ticks are for the pointer. */
function trackOf({ frames, spans, label, duration, onSeek }) {
  const at = (seconds) => `${(100 * Math.max(0, Math.min(seconds, duration))) / (duration || 1)}%`;
  const bars = spans.map(([start, end]) => {
    const bar = el("div.try-bar", { title: span([start, end]), dataset: { start } });
    bar.style.left = `min(${at(start)}, 100% - ${LEAST_PIXELS}px)`;
    bar.style.width = `calc(${at(end)} - ${at(start)})`;
    return bar;
  });
  const track = el(
    "div.try-track",
    {
      role: "slider",
      tabindex: "0",
      "aria-label": `${label}: frames`,
      "aria-valuemin": "1",
      "aria-valuemax": String(Math.max(1, frames.length)),
    },
    bars,
    ticksOf(frames, duration),
    el("div.try-head"),
  );
  let chosen = 0;
  const choose = (index, seek = true) => {
    chosen = Math.max(0, Math.min(frames.length - 1, index));
    track.setAttribute("aria-valuenow", String(chosen + 1));
    track.setAttribute(
      "aria-valuetext",
      frames.length ? `frame ${chosen + 1} of ${frames.length}, at ${clock(frames[chosen], 2)}` : "no frames",
    );
    if (seek && frames.length) onSeek(frames[chosen]);
  };
  choose(0, false);
  track.addEventListener("keydown", (event) => {
    const to = {
      ArrowRight: chosen + 1,
      ArrowUp: chosen + 1,
      ArrowLeft: chosen - 1,
      ArrowDown: chosen - 1,
      Home: 0,
      End: frames.length - 1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    choose(to);
  });
  track.addEventListener("click", (event) => {
    const bar = event.target.closest(".try-bar");
    const box = track.getBoundingClientRect();
    const time = ((event.clientX - box.left) / box.width) * duration;
    const index = nearestOf(frames, time);
    const isNear = index >= 0 && (Math.abs(frames[index] - time) / (duration || 1)) * box.width <= REACH_PIXELS;
    if (isNear) choose(index);
    else onSeek(bar ? Number(bar.dataset.start) : time);
  });
  return track;
}

function nearestOf(frames, time) {
  return frames.reduce(
    (best, one, index) => (best < 0 || Math.abs(one - time) < Math.abs(frames[best] - time) ? index : best),
    -1,
  );
}

/** All ticks are one path: a round may have hundreds. */
function ticksOf(frames, duration) {
  const d = frames.map((time) => `M${((1000 * time) / (duration || 1)).toFixed(2)} 0v10`).join("");
  return svg(
    "svg",
    { class: "try-ticks", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d }),
  );
}

function drawAxis(axis, duration, onSeek) {
  const step = STEPS_OF_AXIS.find((one) => duration / one <= 6) ?? Math.ceil(duration / 6);
  const decimals = duration < 4 ? 1 : 0;
  const times =
    duration < 4
      ? roundTicks(0, duration, 4)
      : Array.from({ length: Math.floor(duration / step) + 1 }, (_, n) => n * step);
  const marks = times.map((time) => {
    const mark = el("span", { class: time > 0.94 * duration ? "is-last" : "" }, clock(time, decimals));
    mark.style.left = `${(100 * time) / (duration || 1)}%`;
    return mark;
  });
  replace(axis, marks);
  axis.onclick = (event) => {
    const box = axis.getBoundingClientRect();
    onSeek(Math.max(0, ((event.clientX - box.left) / box.width) * duration));
  };
}
