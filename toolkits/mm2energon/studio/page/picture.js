// An image as large as the screen allows, then as large as it is; the arrows go on to the others.

import { address } from "./api.js";
import { openDialog } from "./dialogs.js";
import { el, replace } from "./dom.js";
import { icon } from "./icons.js";

/** Opens the images of a sample at one of them. */
export function enlarge(pictures, at) {
  let now = at;
  let isFull = false;
  const image = el("img.picture", { alt: "" });
  const caption = el("p.picture-caption", { dir: "auto", "aria-live": "polite" });
  const frame = el(
    "div.picture-frame",
    { tabindex: "0", autofocus: true, role: "group", "aria-label": "Image" },
    image,
  );
  const zoom = el("button", { type: "button", onclick: () => setFull(!isFull) });
  const show = (index) => {
    now = (index + pictures.length) % pictures.length;
    const { url, name, index: number } = pictures[now];
    image.src = address(url);
    image.alt = name;
    replace(caption, `${number + 1}: ${name}`);
    setFull(false);
  };
  const setFull = (full) => {
    isFull = full;
    frame.classList.toggle("picture-full", full);
    zoom.textContent = full ? "Fit" : "Full size";
  };
  const keys = (event) => {
    const run = { ArrowRight: () => show(now + 1), ArrowLeft: () => show(now - 1), z: () => setFull(!isFull) }[
      event.key
    ];
    if (!run || (isFull && event.key !== "z")) return;
    event.preventDefault();
    run();
  };
  image.addEventListener(
    "load",
    () =>
      (caption.textContent = `${pictures[now].index + 1}: ${pictures[now].name} (${image.naturalWidth} × ${image.naturalHeight})`),
  );
  image.addEventListener("click", () => setFull(!isFull));
  show(at);
  const step = (by, name, label) =>
    el("button.icon-button", { type: "button", "aria-label": label, onclick: () => show(now + by) }, icon(name));
  const steps = pictures.length > 1 ? [step(-1, "back", "Previous image"), step(1, "next", "Next image")] : [];
  return openDialog({
    title: "Image",
    className: "picture-dialog",
    build: () => el("div.picture-body", { onkeydown: keys }, frame, el("footer", {}, caption, steps, zoom)),
  });
}
