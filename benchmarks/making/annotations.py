"""Annotations: entries as LLaVA writes them, an array and lines of about 1 KB each, and smaller files of text alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.scale import Scale

WORDS = (
    "the a of to in and on with for from car street person man woman sits stands walks red green blue small large left "
    "right behind before under table chair window light dark morning sky water tree mountain holds looks wears shirt "
    "über naïve 图片 中的 街道"
)


def make(folder: Path, scale: Scale) -> None:
    """Write the annotations with media for reading, and those of text for sharding."""
    with (folder / "array.json").open("w", encoding="utf-8") as array, (folder / "lines.jsonl").open("w") as lines:
        for number, text in enumerate(_texts(scale.entries, with_media=True)):
            array.write((",\n" if number else "[\n") + text)
            lines.write(text + "\n")
        array.write("\n]\n")
    for count in scale.growth_samples:
        root = folder / f"text-{count}"
        root.mkdir()
        with (root / "dataset.json").open("w", encoding="utf-8") as array:
            for number, text in enumerate(_texts(count, with_media=False)):
                array.write((",\n" if number else "[\n") + text)
            array.write("\n]\n")


def _texts(count: int, *, with_media: bool) -> Iterator[str]:
    source = random.Random(7)
    words = WORDS.split()
    sentences = [" ".join(source.choices(words, k=source.randint(8, 28))) for _ in range(4000)]
    for number in range(count):
        yield json.dumps(_entry(number, source, sentences, with_media=with_media), ensure_ascii=False)


def _entry(number: int, source: random.Random, sentences: list[str], *, with_media: bool) -> dict[str, Any]:
    images = [f"coco/train2017/{(number * 7 + place) % 100_000:012d}.jpg" for place in range(1 + (number % 10 == 0))]
    turns = []
    for place in range(source.randint(1, 3)):
        tags = "<image>\n" * len(images) if with_media and place == 0 else ""
        turns.append({"from": "human", "value": tags + source.choice(sentences)})
        turns.append({"from": "gpt", "value": " ".join(source.choices(sentences, k=3))})
    entry: dict[str, Any] = {"id": f"{number:012d}"}
    if with_media:
        entry |= {"image": images[0]} if len(images) == 1 else {"images": images}
    return entry | {"conversations": turns}
