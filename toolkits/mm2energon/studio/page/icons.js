// The page's icons: 20 by 20 outlines, drawn as SVG in the colour of the text beside them.

import { svg } from "./dom.js";

const PATHS = {
  accept: "m4.5 10.5 3.5 3.5 7.5-8",
  reject: "m5.5 5.5 9 9m0-9-9 9",
  edit: "M4 16h3l8.5-8.5-3-3L4 13v3Zm6.5-9.5 3 3",
  undo: "M7.5 4.5 4 8l3.5 3.5M4.5 8H12a4 4 0 0 1 0 8H8",
  redo: "M12.5 4.5 16 8l-3.5 3.5M15.5 8H8a4 4 0 0 0 0 8h4",
  reset: "M4.5 4v4h4M4.9 8a6 6 0 1 1-.6 4",
  search: "M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10Zm3.8-1.2L17 17",
  filter: "M3.5 5.5h13M6 10h8m-5.5 4.5h3",
  close: "m5.5 5.5 9 9m0-9-9 9",
  back: "M12 4.5 6.5 10l5.5 5.5",
  next: "M8 4.5 13.5 10 8 15.5",
  help: "M7.5 7.6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1.9-1.1 1.8m0 2.6v.1M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15Z",
  light:
    "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 2v1.5m0 13V18m8-8h-1.5M3.5 10H2m13.7-5.7-1.1 1.1M5.4 14.6l-1.1 1.1m11.4 0-1.1-1.1M5.4 5.4 4.3 4.3",
  dark: "M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5Z",
  system: "M3.5 4.5h13v9h-13zM7.5 17h5m-2.5-3.5V17",
  person: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6Zm-6 7c.5-3.2 2.9-4.5 6-4.5s5.5 1.3 6 4.5",
  review: "M3.5 4.5h13v9h-7L6 16.5v-3H3.5z",
  statistics: "M3.5 16.5h13M6 16.5v-5m4 5V4m4 12.5V8",
  export: "M10 12V3.5m0 0L6.5 7M10 3.5 13.5 7M4 12v4.5h12V12",
  try: "M10 3.5 11.6 8 16.5 10l-4.9 2-1.6 4.5L8.4 12 3.5 10l4.9-2L10 3.5Z",
  finetune: "M4 5.5h7m3 0h2M4 10h2m3 0h7M4 14.5h6m3 0h3M12.5 4v3M7.5 8.5v3m4 1.5v3",
  warning: "M10 3.5 17.5 16.5h-15L10 3.5Zm0 5v3.7m0 2v.1",
  video: "M3 5.5h9.5v9H3zm9.5 3.3L17 6.3v7.4l-4.5-2.5",
  image: "M3.5 4h13v12h-13zm0 9.5 4-4 3.5 3.5 2-2 3.5 3.5M12.5 7.5v.1",
  audio: "M8 14V5l7.5-1.5v9M8 14a2 2 0 1 1-4 0 2 2 0 0 1 4 0Zm7.5-1.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  text: "M4.5 5h11M4.5 8.5h11M4.5 12h11m-11 3.5h6",
  alike: "M3.5 3.5h9v9h-9zm4 4h9v9h-9z",
  draft: "M4 16h3l8.5-8.5-3-3L4 13v3Z",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm0-11v4.3l2.8 1.7",
  offline:
    "M3.5 3.5 16.5 16.5M4 9.5a9 9 0 0 1 3-1.9m3-.5a8.6 8.6 0 0 1 6 2.4M7 12.5a4.5 4.5 0 0 1 2-1.2m2.6.3c.5.2 1 .5 1.4.9M10 15.6v.1",
  file: "M5.5 3h6l3.5 3.5V17h-9.5zM11 3v4h4",
  folder: "M3 5h5l1.5 2H17v8.5H3z",
  stop: "M5.5 5.5h9v9h-9z",
  play: "M6.5 4.5 15 10l-8.5 5.5z",
  upload: "M10 13V4.5m0 0L6.5 8M10 4.5 13.5 8M4 16h12",
  plus: "M10 4.500v11M4.500 10h11",
  settle: "M10 3.500v13m-5 0h10M4 6.500h12M4 6.500 2 11.500h4L4 6.500Zm12 0-2 5h4l-2-5Z",
};

/** An icon by its name; it is for the eye alone, what it means stands in a text or a label beside it. */
export function icon(name, size = 20) {
  return svg(
    "svg",
    {
      class: `icon icon-${name}`,
      viewBox: "0 0 20 20",
      width: size,
      height: size,
      "aria-hidden": "true",
      focusable: "false",
    },
    svg("path", { d: PATHS[name] ?? PATHS.file }),
  );
}
