// The media of a sample: videos with their frames, images to enlarge, audio; what is broken says why.

import { address } from "./api.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { enlarge } from "./picture.js";
import { Player } from "./player.js";

/** The media of one item; `players` are its videos and audios in order, the last used one answers the keys. */
export class Media {
  constructor(media, { signal, announce }) {
    this.media = media;
    this.players = [];
    this.current = null;
    this.pictures = media.filter((one) => one.kind === "image" && !problemOf(one));
    const blocks = [
      media.filter((one) => one.kind === "video").map((one) => this.block(one, { signal, announce })),
      this.gallery(),
      media.filter((one) => one.kind === "audio").map((one) => this.block(one, { signal, announce })),
    ];
    this.node = el("section.media", { "aria-label": "Media", hidden: media.length === 0 }, blocks);
  }

  /** Goes to a time of the video in use. */
  seek(seconds) {
    this.current?.seek(seconds);
  }

  get duration() {
    return this.current?.duration ?? null;
  }

  /** Brings a medium into sight, and enlarges an image. */
  reveal(kind, index) {
    const node = this.node.querySelector(`[data-medium="${kind}-${index}"]`);
    node?.scrollIntoView({ block: "nearest" });
    node?.classList.add("pointed-at");
    setTimeout(() => node?.classList.remove("pointed-at"), 1200);
    if (kind === "image") this.enlarge(this.pictures.findIndex((one) => one.index === index));
  }

  enlarge(at = 0) {
    if (this.pictures.length) enlarge(this.pictures, Math.max(0, at));
  }

  block(medium, options) {
    const problem = problemOf(medium);
    if (problem) return broken(medium, problem);
    const player = new Player(medium, { ...options, onUse: () => (this.current = player) });
    this.players.push(player);
    this.current ??= player;
    return player.node;
  }

  gallery() {
    const images = this.media.filter((one) => one.kind === "image");
    if (images.length === 0) return null;
    const className = images.length === 1 ? "gallery-one" : "";
    return el(
      "ul.gallery",
      { class: className, "aria-label": "Images" },
      images.map((one) => this.thumbnail(one)),
    );
  }

  thumbnail(medium) {
    const problem = problemOf(medium);
    if (problem) return el("li", {}, broken(medium, problem));
    const image = el("img", { src: address(medium.url), alt: "", loading: "lazy", decoding: "async" });
    const name = `image ${medium.index + 1}: ${medium.name}`;
    const open = () => this.enlarge(this.pictures.indexOf(medium));
    const button = el(
      "button.thumbnail",
      { type: "button", "aria-label": `Enlarge ${name}`, title: medium.name, onclick: open },
      image,
    );
    const item = el(
      "li",
      { dataset: { medium: `image-${medium.index}` } },
      button,
      el("span.medium-number", { "aria-hidden": "true" }, medium.index + 1),
    );
    image.addEventListener("error", () =>
      item.replaceChildren(
        broken(medium, "It cannot be shown: it is damaged, or of a kind that browsers do not know."),
      ),
    );
    return item;
  }
}

/** What stands in the place of a medium that cannot be shown. */
export function broken(medium, problem) {
  return el(
    "div.broken",
    { dataset: { medium: `${medium.kind}-${medium.index}` } },
    icon("warning", 22),
    el(
      "div",
      {},
      el("strong", { dir: "auto" }, medium.name || `${medium.kind} ${medium.index + 1}`),
      el("p", { dir: "auto" }, problem),
    ),
  );
}

function problemOf(medium) {
  const told = medium.error && (medium.error.message ?? medium.error[1] ?? String(medium.error));
  if (told) return told;
  return medium.exists === false ? "There is no such file." : null;
}
