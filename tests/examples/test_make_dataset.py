"""The demo dataset is what its page says: read back with ffmpeg, Pillow and json."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_dataset import CLIPS, make_dataset
from PIL import Image


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    make_dataset(folder, samples=48)
    return folder


def entries_of(demo: Path) -> dict[str, list[dict[str, Any]]]:
    """All annotation entries, by kind of media."""
    lines = (demo / "images/annotations.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        "videos": json.loads((demo / "videos/annotations.json").read_text(encoding="utf-8")),
        "images": [json.loads(line) for line in lines],
        "text": json.loads((demo / "text.json").read_text(encoding="utf-8")),
    }


def squares(path: Path) -> list[tuple[float, float, tuple[int, ...]]]:
    """Centre (x, y) and colour of the square in every frame, as ffmpeg decodes them."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt"]
    raw = subprocess.run([*command, "rgb24", "-"], check=True, capture_output=True).stdout
    found = []
    for frame in np.frombuffer(raw, dtype=np.uint8).reshape(-1, 120, 160, 3):
        rows, columns = np.nonzero(frame.min(axis=2) < 150)
        colour = np.median(frame[rows, columns], axis=0).astype(int)
        found.append((float(columns.mean()), float(rows.mean()), tuple(colour)))
    return found


def test_there_are_as_many_samples_as_asked_and_every_kind(demo: Path) -> None:
    entries = entries_of(demo)
    assert {kind: len(of_kind) for kind, of_kind in entries.items()} == {"videos": 16, "images": 24, "text": 8}
    ids = [entry["id"] for of_kind in entries.values() for entry in of_kind]
    assert len(set(ids)) == 48
    turns = {kind: {len(entry["conversations"]) for entry in of_kind} for kind, of_kind in entries.items()}
    assert turns == {"videos": {2, 4}, "images": {2, 4}, "text": {2, 4}}
    assert {isinstance(entry["image"], list) for entry in entries["images"]} == {True, False}


def test_every_medium_is_there_and_has_its_tag(demo: Path) -> None:
    entries = entries_of(demo)
    for entry in entries["videos"] + entries["images"]:
        media = entry.get("video") or entry["image"]
        media = media if isinstance(media, list) else [media]
        folder = demo / ("videos" if "video" in entry else "images")
        assert all((folder / path).is_file() for path in media)
        text = " ".join(turn["value"] for turn in entry["conversations"])
        assert text.count("<image>") == len(media)
        assert [turn["from"] for turn in entry["conversations"][:2]] == ["human", "gpt"]


def test_the_answers_about_a_clip_are_true(demo: Path) -> None:
    names = {(200, 60, 60): "red", (60, 150, 80): "green", (60, 90, 200): "blue", (220, 200, 60): "yellow"}
    answers = {entry["video"]: entry["conversations"][-1]["value"] for entry in entries_of(demo)["videos"]}
    assert len(answers) == len(CLIPS)
    for path, answer in answers.items():
        (x0, y0, colour), *_, (x1, y1, _) = squares(demo / "videos" / path)
        across = abs(x1 - x0) > abs(y1 - y0)
        direction = ("to the left", "to the right")[x1 > x0] if across else ("up", "down")[y1 > y0]
        assert answer.endswith(f"{direction}.")
        nearest = min(names, key=lambda name: sum(abs(a - b) for a, b in zip(name, colour, strict=True)))
        assert names[nearest] in path


def test_the_clips_differ_in_frame_rate_and_one_varies(demo: Path) -> None:
    rates = set()
    varying = []
    for path in sorted((demo / "videos/clips").iterdir()):
        command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json", "-show_entries"]
        probed = subprocess.run(
            [*command, "stream=r_frame_rate:packet=pts_time", str(path)], check=True, capture_output=True
        )
        answer = json.loads(probed.stdout)
        times = np.array(sorted(float(packet["pts_time"]) for packet in answer["packets"]))
        if np.ptp(np.diff(times)) > 0.02:
            varying.append(path.name)
        rates.add(round(1 / float(np.median(np.diff(times))), 2))
    assert varying == ["yellow_up.mp4"]
    assert {29.97, 25.0, 10.0, 50.0} <= rates


def test_pictures_are_jpeg_png_and_webp(demo: Path) -> None:
    formats = set()
    for path in (demo / "images/pictures").iterdir():
        with Image.open(path) as picture:
            picture.load()
            formats.add(picture.format)
    assert formats == {"JPEG", "PNG", "WEBP"}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_dataset(tmp_path / name, samples=12)
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("first", "second")
    )
    assert first == second
