// The video that is asked about: given by upload, address or entry of the dataset, then played.

import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { takeVideo, uploadVideo } from "./try_sources.js";
import { announce } from "./toasts.js";
import { bytes, clock } from "./try_words.js";

/**
 * The panel of the video. `onVideo(video, player)` is called when another one is there (null: none).
 *
 * Methods: `take(source)` ({file}, {url} or {number, index}), `show(video)`, `miss(why)`,
 * `current()`, `isBusy()`, `seek(seconds)`.
 */
export function videoPanel({ signal, onVideo }) {
  const stage = el("div.try-stage");
  const element = el(
    "section.card.try-video",
    { "aria-labelledby": "try-video" },
    el("h2", { id: "try-video" }, "Video"),
    stage,
  );
  const state = { video: null, player: null, transfer: null };

  const show = (video) => {
    state.video = video;
    state.player?.pause();
    state.player = video ? playerOf(video) : null;
    if (video) showPlayer();
    else choose("");
    onVideo(video, state.player);
  };
  const showPlayer = () =>
    replace(
      stage,
      state.player,
      unplayable(state.player),
      captionOf(state.video, () => choose("")),
    );
  const choose = (problem, url = "") => {
    state.player?.pause();
    replace(stage, chooser({ take, problem, url, back: state.video ? showPlayer : null }));
  };
  const take = async (source) => {
    state.transfer?.abort();
    const ending = new AbortController();
    state.transfer = ending;
    signal.addEventListener("abort", () => ending.abort(), { once: true });
    const progress = progressOf(source, () => ending.abort());
    replace(stage, progress.element);
    try {
      const options = { signal: ending.signal, onProgress: progress.show };
      const video = await (source.file ? uploadVideo(source.file, options) : takeVideo(source, options));
      if (state.transfer !== ending) return;
      announce(`${video.name} is there.`);
      show(video);
    } catch (error) {
      if (state.transfer === ending && !signal.aborted) choose(error.name === "AbortError" ? "" : error.message, source.url);
    } finally {
      if (state.transfer === ending) state.transfer = null;
    }
  };
  const miss = (problem) => {
    show(null);
    choose(problem);
  };
  acceptDrops(element, take);
  choose("");
  const isBusy = () => state.transfer !== null && !state.transfer.signal.aborted;
  return {
    element,
    take,
    show,
    miss,
    isBusy,
    current: () => state.video,
    seek: (seconds) => seekTo(state.player, seconds),
  };
}

function seekTo(player, seconds) {
  if (!player) return;
  player.currentTime = seconds;
  const { top, bottom } = player.getBoundingClientRect();
  if (bottom < 60 || top > window.innerHeight - 60) player.scrollIntoView({ block: "nearest" });
}

function playerOf(video) {
  const name = `Video: ${video.name}`;
  return el("video.try-player", {
    src: video.url,
    controls: true,
    preload: "metadata",
    playsinline: true,
    "aria-label": name,
  });
}

function unplayable(player) {
  const words = "This browser cannot play the video; it can be asked about all the same.";
  const note = el("p.message", { hidden: player.error === null }, icon("warning", 18), words);
  player.addEventListener("error", () => (note.hidden = false));
  return note;
}

function captionOf(video, another) {
  const facts = [
    clock(video.duration, 1),
    video.width && video.height ? `${video.width} × ${video.height}` : "",
    video.fps ? `${Number(video.fps.toFixed(2))} fps` : "",
    bytes(video.bytes),
  ];
  return el(
    "div.try-caption",
    {},
    el("p.try-name", { dir: "auto", title: video.name }, video.name),
    el("p.hint", {}, facts.filter(Boolean).join(" · ")),
    (video.notes ?? []).map((note) => el("p.hint.try-video-note", { dir: "auto" }, note)),
    el("button.quiet", { type: "button", onclick: another }, icon("video", 16), "Another video"),
  );
}

function chooser({ take, problem, url, back }) {
  const file = el("input.try-file", {
    id: "try-file",
    type: "file",
    accept: "video/*,.mkv,.avi,.mov",
    onchange: () => file.files[0] && take({ file: file.files[0] }),
  });
  const address = el("input", {
    id: "try-url",
    type: "url",
    value: url,
    placeholder: "https://…",
    autocomplete: "off",
    required: true,
  });
  const fetching = el(
    "form.try-source",
    { onsubmit: (event) => (event.preventDefault(), take({ url: address.value.trim() })) },
    el("label.label", { for: "try-url" }, "From an address"),
    el("div.try-source-row", {}, address, el("button", { type: "submit" }, "Fetch")),
  );
  return [
    problem && el("div.message.bad", { role: "alert" }, icon("warning", 18), el("p", { dir: "auto" }, problem)),
    el(
      "div.try-drop",
      {},
      icon("upload", 28),
      file,
      el("label.try-choose", { for: "try-file" }, "Choose a video file"),
      el("p.hint", {}, "or drop one here"),
    ),
    fetching,
    el(
      "p.hint",
      {},
      "Or from the dataset: ",
      el("a", { href: "#/review" }, "open an entry in the review"),
      " and try a model on it there.",
    ),
    back &&
      el("button.quiet.try-back", { type: "button", onclick: back }, icon("back", 16), "Keep the video of before"),
  ];
}

function progressOf(source, stop) {
  const name = source.file?.name ?? source.url ?? "A video of the dataset";
  const bar = el("progress", { max: "1", "aria-labelledby": "try-transfer" });
  const words = el("p.hint");
  const show = ({ done, total, words: what }) => {
    const known = total > 0 && done < total;
    if (known) bar.value = done / total;
    else bar.removeAttribute("value");
    words.textContent = known
      ? `${what}: ${bytes(done)} of ${bytes(total)}`
      : done > 0 && total === null
        ? `${what}: ${bytes(done)}`
        : `${what} …`;
  };
  const element = el(
    "div.try-transfer",
    {},
    el("p.try-name", { id: "try-transfer", dir: "auto" }, name),
    bar,
    words,
    el("button", { type: "button", onclick: stop }, icon("stop", 16), "Cancel"),
  );
  show({ done: 0, total: null, words: "Starting" });
  return { element, show };
}

/** A file that is dropped on the panel is taken; elsewhere the browser would leave the page for it. */
function acceptDrops(element, take) {
  const isFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  element.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    element.classList.add("is-over");
  });
  element.addEventListener(
    "dragleave",
    (event) => element.contains(event.relatedTarget) || element.classList.remove("is-over"),
  );
  element.addEventListener("drop", (event) => {
    element.classList.remove("is-over");
    if (!isFile(event)) return;
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    if (file) take({ file });
  });
}
