"""Makes a small LLaVA-style dataset by code: clips, pictures and conversations about them.

    python examples/make_dataset.py --output demo

    demo/videos/annotations.json    an array; "video" is relative to this folder, `<image>` stands for it
    demo/images/annotations.jsonl   JSON lines; "image" is a path or a list of paths
    demo/text.json                  conversations without media

A clip shows one square that moves; its questions ask for the colour and the direction, which no single
frame tells. The same arguments give the same dataset.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (40, 80, 220), "yellow": (235, 210, 40)}
#: Direction -> where the square starts and ends: (x, y) as shares of the free width and height.
PATHS = {
    "to the right": ((0.0, 0.5), (1.0, 0.5)),
    "to the left": ((1.0, 0.5), (0.0, 0.5)),
    "down": ((0.5, 0.0), (0.5, 1.0)),
    "up": ((0.5, 1.0), (0.5, 0.0)),
}
SHAPES = ("circle", "square", "triangle")
KINDS = ("video", "image", "video in turns", "several images", "text", "image in turns")
WIDTH, HEIGHT, SQUARE = 160, 120, 40
CLIP_SECONDS = 3
#: Divides the frame times of every rate below without a rest.
TIME_BASE = Fraction(1, 30_000)


@dataclass(frozen=True)
class Clip:
    """One square on its way; without `fps` the spacing of the frames varies."""

    colour: str
    direction: str
    fps: Fraction | None

    @property
    def path(self) -> str:
        return f"clips/{self.colour}_{self.direction.split()[-1]}.mp4"


CLIPS = (
    Clip("red", "to the right", Fraction(30)),
    Clip("blue", "to the left", Fraction(30_000, 1001)),
    Clip("green", "down", Fraction(25)),
    Clip("yellow", "up", None),
    Clip("red", "to the left", Fraction(24_000, 1001)),
    Clip("blue", "to the right", Fraction(10)),
    Clip("green", "up", Fraction(50)),
    Clip("yellow", "down", Fraction(15)),
)


def make_dataset(folder: Path, *, samples: int = 32) -> None:
    """Writes the dataset into `folder`; of `samples` samples every sixth is of the same kind."""
    entries: dict[str, list[dict[str, Any]]] = {"videos": [], "images": [], "text": []}
    for number in range(samples):
        turn, kind = number // len(KINDS), KINDS[number % len(KINDS)]
        if kind.startswith("video"):
            # Half a table apart, so that the first few samples of both kinds show different clips.
            clip = CLIPS[(turn + 4 * kind.endswith("turns")) % len(CLIPS)]
            entries["videos"].append(video_entry(folder / "videos", clip, in_turns=kind.endswith("turns")))
        elif kind == "text":
            entries["text"].append(text_entry(turn))
        else:
            entries["images"].append(image_entry(folder / "images", turn, kind))
    for group, of_group in entries.items():
        for number, entry in enumerate(of_group):
            entry["id"] = f"{group}-{number:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    write_array(folder / "videos" / "annotations.json", entries["videos"])
    write_lines(folder / "images" / "annotations.jsonl", entries["images"])
    write_array(folder / "text.json", entries["text"])


def video_entry(folder: Path, clip: Clip, *, in_turns: bool) -> dict[str, Any]:
    """One sample about a clip, which is written when it is not there yet."""
    if not (folder / clip.path).exists():
        write_clip(folder / clip.path, clip)
    if in_turns:
        texts = ["<image>\nWhat colour is the square?", f"It is {clip.colour}."]
        texts += ["Which way does it move?", f"It moves {clip.direction}."]
    else:
        texts = ["<image>\nWhat happens in the video?", f"A {clip.colour} square moves {clip.direction}."]
    return {"video": clip.path, "conversations": conversation(texts)}


def image_entry(folder: Path, turn: int, kind: str) -> dict[str, Any]:
    """One sample about one picture, or about two."""
    colours, shapes = list(COLOURS), SHAPES[turn % 3 :] + SHAPES[: turn % 3]
    looks = [(colours[(turn + k) % len(colours)], shapes[k]) for k in range(3)]
    paths = []
    suffixes = (".jpg", ".png", ".webp")
    wanted = 2 if kind == "several images" else 1
    for k, (colour, shape) in enumerate(looks[:wanted]):
        paths.append(f"pictures/{kind.replace(' ', '_')}_{turn:03d}_{k}{suffixes[(turn + k) % 3]}")
        write_picture(folder / paths[-1], colour, shape)
    (colour, shape), (other_colour, other_shape) = looks[:2]
    if kind == "several images":
        question = "<image>\n<image>\nWhat do the two pictures show?"
        texts = [question, f"A {colour} {shape}, then a {other_colour} {other_shape}."]
        return {"image": paths, "conversations": conversation(texts)}
    texts = ["<image>\nWhich shape is it?", f"It is a {shape}."]
    if kind == "image in turns":
        texts += ["And its colour?", f"It is {colour}."]
    return {"image": paths[0], "conversations": conversation(texts)}


def text_entry(turn: int) -> dict[str, Any]:
    """One sample without media."""
    texts = [f"What is {turn} plus {turn + 2}?", f"{2 * turn + 2}."]
    if turn % 2:
        texts += ["And one more?", f"{2 * turn + 3}."]
    return {"conversations": conversation(texts)}


def conversation(texts: list[str]) -> list[dict[str, str]]:
    """The turns in LLaVA's words, the user first."""
    return [{"from": ("human", "gpt")[k % 2], "value": text} for k, text in enumerate(texts)]


def frame_seconds(clip: Clip) -> Iterator[float]:
    """When each frame of the clip comes on the screen."""
    seconds, number = 0.0, 0
    while seconds < CLIP_SECONDS - 1e-6:
        yield seconds
        number += 1
        seconds = float(number / clip.fps) if clip.fps else seconds + (0.02, 0.05, 0.11)[number % 3]


def draw_frame(clip: Clip, seconds: float) -> np.ndarray:
    """The picture at a time: uint8, height x width x RGB."""
    (x0, y0), (x1, y1) = PATHS[clip.direction]
    share = seconds / CLIP_SECONDS
    left = round((x0 + (x1 - x0) * share) * (WIDTH - SQUARE))
    top = round((y0 + (y1 - y0) * share) * (HEIGHT - SQUARE))
    picture = np.full((HEIGHT, WIDTH, 3), 235, dtype=np.uint8)
    picture[top : top + SQUARE, left : left + SQUARE] = COLOURS[clip.colour]
    return picture


def write_clip(path: Path, clip: Clip) -> None:
    """Encodes a clip as H.264, or as MPEG-4 where this FFmpeg has no encoder for H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec, options = "mpeg4", {}
    if "libx264" in av.codecs_available:
        # One slice, and no shortcuts of the processor at hand: the bytes are the same everywhere.
        codec, options = "libx264", {"threads": "1", "x264-params": "cpu-independent=1"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=clip.fps or 30, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = TIME_BASE
        for seconds in frame_seconds(clip):
            frame = av.VideoFrame.from_ndarray(draw_frame(clip, seconds), format="rgb24")
            frame.time_base, frame.pts = TIME_BASE, round(seconds / TIME_BASE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_picture(path: Path, colour: str, shape: str) -> None:
    """Draws one shape; the suffix of `path` chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 235))
    draw = ImageDraw.Draw(picture)
    box = (WIDTH // 2 - 40, HEIGHT // 2 - 40, WIDTH // 2 + 40, HEIGHT // 2 + 40)
    if shape == "circle":
        draw.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        draw.rectangle(box, fill=COLOURS[colour])
    else:
        draw.polygon([(box[0], box[3]), (box[2], box[3]), (WIDTH // 2, box[1])], fill=COLOURS[colour])
    picture.save(path)


def write_array(path: Path, entries: list[dict[str, Any]]) -> None:
    """Writes entries as one JSON array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def write_lines(path: Path, entries: list[dict[str, Any]]) -> None:
    """Writes entries as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a small LLaVA-style dataset by code.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--samples", type=int, default=32, help="samples to make (default: %(default)s)")
    options = parser.parse_args()
    make_dataset(options.output, samples=options.samples)
    print(f"{options.samples} samples in {options.output}")


if __name__ == "__main__":
    main()
