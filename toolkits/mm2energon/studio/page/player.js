// A video (or audio) with a field for a time, and under a video the frames that training sees.

import { address, get } from "./api.js";
import { el, replace } from "./dom.js";
import { icon } from "./icons.js";
import { Strip } from "./strip.js";
import { clock, secondsOf } from "./texts.js";

const FRAMES_AFTER_MS = 250;
const SOURCES = {
  extracted: "extracted beside the video",
  decoded: "decoded now, as for training",
  listed: "as the sample lists them",
  shard: "as they are in the shard",
};

export class Player {
  /** `onUse()` hears that this is the player in use. */
  constructor(medium, { signal, announce, onUse }) {
    Object.assign(this, { medium, signal, announce });
    this.element = medium.url ? playing(medium) : el("video", { hidden: true });
    this.still = medium.url ? null : el("img.still", { alt: "" });
    this.problem = el("div.player-problem", { hidden: true });
    this.place = el("span.place.number", { "aria-hidden": "true" }, "0:00");
    this.field = this.timeField();
    this.note = medium.message && el("p.hint.player-note", { dir: "auto" }, noteOf(medium));
    const frame = el("div.player-frame", { class: `player-${medium.kind}` }, this.element, this.still, this.problem);
    const line = el(
      "div.player-line",
      {},
      el("bdi.medium-name", { title: medium.name }, medium.name),
      this.place,
      this.field,
    );
    this.frames = medium.kind === "video" ? el("div.frames") : null;
    this.node = el(
      "figure.player",
      { dataset: { medium: `${medium.kind}-${medium.index}` } },
      frame,
      line,
      this.note,
      this.frames,
    );
    for (const name of ["play", "seeking", "pointerdown", "focus"]) this.element.addEventListener(name, onUse, true);
    this.element.addEventListener("error", () => this.failed());
    this.element.addEventListener("timeupdate", () => this.moved());
    this.element.addEventListener("loadedmetadata", () => this.moved());
    signal.addEventListener("abort", () => this.stop(), { once: true });
    if (medium.frames_url) this.loadLater();
  }

  get time() {
    return this.still ? (this.stillTime ?? 0) : this.element.currentTime;
  }

  get duration() {
    return Number.isFinite(this.element.duration) ? this.element.duration : null;
  }

  seek(seconds) {
    const to = Math.max(0, Math.min(seconds, this.duration ?? seconds));
    if (this.still) this.showStill(to);
    else this.element.currentTime = to;
    this.strip?.setTime(to);
    this.place.textContent = clock(to);
    this.announce(`At ${clock(to)}`);
  }

  by(seconds) {
    this.seek(this.time + seconds);
  }

  /** A video of frames alone shows the frame that is on the screen at a time. */
  showStill(seconds) {
    this.stillTime = seconds;
    const frame = this.strip?.at(seconds);
    if (frame) this.still.src = address(frame.url);
    if (frame) this.still.alt = `The frame at ${clock(frame.time)}`;
  }

  toggle() {
    if (this.still) return;
    if (this.element.paused) this.element.play().catch(() => {});
    else this.element.pause();
  }

  /** Goes to the next (1) or previous (-1) frame of training. */
  step(direction) {
    const to = this.strip?.beside(this.time, direction);
    if (to !== undefined && to !== null) this.seek(to);
  }

  mute() {
    this.element.muted = !this.element.muted;
    this.announce(this.element.muted ? "Sound off" : "Sound on");
  }

  focusTime() {
    this.node.querySelector(".time-field").focus();
  }

  timeField() {
    const input = el("input.time-field", {
      type: "text",
      inputmode: "decimal",
      placeholder: "1:23",
      "aria-label": "Go to a time",
      autocomplete: "off",
    });
    const go = () => {
      const seconds = secondsOf(input.value);
      input.setAttribute("aria-invalid", String(seconds === null && input.value !== ""));
      if (seconds !== null) this.seek(seconds);
      else if (input.value) this.announce("A time is written like 1:23 or 12.5");
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") (event.preventDefault(), go());
      if (event.key === "Escape") input.blur();
    });
    const button = el("button.quiet", { type: "button", onclick: go }, "Go");
    return el("span.go-to", {}, input, button);
  }

  moved() {
    this.place.textContent =
      this.duration === null
        ? clock(this.element.currentTime)
        : `${clock(this.element.currentTime)} / ${clock(this.duration)}`;
    this.strip?.setTime(this.element.currentTime);
  }

  failed() {
    if (this.signal.aborted) return;
    const why = this.medium.message || "it is damaged, or of a codec that this browser lacks";
    this.problem.hidden = false;
    if (this.note) this.note.hidden = true;
    replace(this.problem, icon("warning", 22), el("p", { dir: "auto" }, `It cannot be played: ${why}.`));
  }

  stop() {
    if (this.still) return;
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** Later: who only passes by does not make the studio decode. */
  loadLater() {
    replace(
      this.frames,
      el("div.strip-coming", {}, el("span.spinner", { "aria-hidden": "true" }), "Frames that training sees …"),
    );
    const timer = setTimeout(() => this.loadFrames(), FRAMES_AFTER_MS);
    this.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  }

  async loadFrames() {
    try {
      const found = await get(this.medium.frames_url, { signal: this.signal });
      this.strip = new Strip(found.frames, {
        label: `Frames of ${this.medium.name}`,
        onPick: (frame) => this.seek(frame.time),
      });
      replace(this.frames, caption(found), found.frames.length > 0 && this.strip.node);
      if (this.still) this.seek(0);
      else this.strip.setTime(this.time);
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = el("button.quiet", { type: "button", onclick: () => this.loadLater() }, "Try again");
      replace(
        this.frames,
        el("div.message.doubt", {}, icon("warning", 18), el("p", { dir: "auto" }, error.message), again),
      );
    }
  }
}

function playing(medium) {
  const label = `${medium.kind} ${medium.index + 1}: ${medium.name}`;
  return el(medium.kind, {
    src: address(medium.url),
    controls: true,
    preload: "metadata",
    playsinline: true,
    "aria-label": label,
  });
}

/** Why a copy is played, or frames are shown, instead of the file itself. */
function noteOf({ url, original_url: original, message }) {
  if (url && original) return `A copy is played: ${message}.`;
  return url ? message : `Shown by its frames: ${message || "there is no file to play"}.`;
}

function caption({ frames, fps, source, message }) {
  const number = `${frames.length.toLocaleString("en")} ${frames.length === 1 ? "frame" : "frames"}`;
  const rate = fps ? ` at ${Number(fps).toLocaleString("en", { maximumFractionDigits: 3 })} fps` : "";
  return el(
    "div.strip-caption",
    {},
    el("strong", {}, `${number} for training`),
    el("span", {}, `${rate}${SOURCES[source] ? `, ${SOURCES[source]}` : ""}`),
    message && el("span.strip-message", { dir: "auto" }, message),
  );
}
