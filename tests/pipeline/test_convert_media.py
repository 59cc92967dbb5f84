"""Media on their way from one format to another: what stands in an entry becomes a file, named by its content."""

from __future__ import annotations

import base64
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from media import write_clip, write_image
from mm2energon import cli

from pipeline.making import set_aside, write_json


def asked(*parts: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """An entry of messages whose question is a list of parts."""
    return {"messages": [{"role": "user", "content": [*parts]}, {"role": "assistant", "content": "It."}], **keys}


def hub_of(folder: Path, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    source = write_json(folder / "in.json", entries)
    cli.main(["convert", str(source), str(folder / "out.json"), "--to", "sharegpt", "--dataset-root", str(folder)])
    found: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    return found


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    return write_image(tmp_path / "p.png", number=5).read_bytes()


@pytest.mark.parametrize(
    "written",
    [
        "data:image/png;base64,{}",
        "data:image;base64,{}",  # as the guides of Qwen2-VL write it
        "DATA:image/PNG;Base64,{}",
        "data:image/jpeg;base64,{}",  # which it is not
        "data:application/octet-stream;base64,{}",
        "data:image/png;charset=utf-8;base64,{}",
    ],
)
def test_a_data_uri_becomes_a_file_that_is_called_what_it_is(tmp_path: Path, picture: bytes, written: str) -> None:
    uri = written.format(base64.b64encode(picture).decode())
    (entry,) = hub_of(tmp_path, asked({"type": "image", "image": uri}))
    (path,) = entry["images"]
    assert path.startswith("media/") and path.endswith(".png")
    assert (tmp_path / path).read_bytes() == picture


def test_base64_may_be_broken_into_lines_escaped_and_without_its_padding(tmp_path: Path, picture: bytes) -> None:
    text = base64.b64encode(picture).decode()
    texts = ("\r\n".join(textwrap.wrap(text, 76)), text.rstrip("="), text.replace("+", "%2B").replace("=", "%3D"))
    entries = [asked({"type": "image", "image": f"data:image/png;base64,{one}"}) for one in texts]
    paths = [entry["images"] for entry in hub_of(tmp_path, *entries)]
    assert len(paths) == 3 and paths[0] == paths[1] == paths[2]
    assert (tmp_path / paths[0][0]).read_bytes() == picture


def test_base64_under_its_own_name_is_no_picture_less(tmp_path: Path, picture: bytes) -> None:
    text = base64.b64encode(picture).decode()
    (entry,) = hub_of(tmp_path, asked({"type": "image", "base64": text}))
    assert entry["conversations"][0]["value"] == "<image>"
    assert (tmp_path / entry["images"][0]).read_bytes() == picture
    sound = {"data": base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt ").decode(), "format": "wav"}
    (entry,) = hub_of(tmp_path, asked({"type": "input_audio", "input_audio": sound}))
    assert (tmp_path / entry["audios"][0]).read_bytes() == b"RIFF\x24\0\0\0WAVEfmt "
    assert entry["audios"][0].endswith(".wav") and entry["conversations"][0]["value"] == "<audio>"


def test_frames_of_a_video_may_be_data_uris(tmp_path: Path) -> None:
    frames = [write_image(tmp_path / f"{number}.jpg", number=number).read_bytes() for number in range(3)]
    uris = [f"data:image/jpeg;base64,{base64.b64encode(frame).decode()}" for frame in frames]
    (entry,) = hub_of(tmp_path, asked({"type": "video", "video": uris}))
    (video,) = entry["videos"]
    assert [(tmp_path / path).read_bytes() for path in video] == frames


@pytest.mark.parametrize("uri", ["data:", "data:image/png,abc", "data:image/png;base64,", "data:;base64,???"])
def test_what_is_no_medium_in_base64_is_set_aside(tmp_path: Path, uri: str) -> None:
    assert len(hub_of(tmp_path, asked(), asked({"type": "image", "image": uri}))) == 1
    assert [line["reason"] for line in set_aside(tmp_path)] == ["bad-media-list"]


def test_of_a_video_that_is_gone_its_frames_are_taken(tmp_path: Path) -> None:
    write_clip(tmp_path / "ours.mkv", frames=60)
    asked = [{"q": "What?", "a": "It.", "video_id": name} for name in ("ours", "theirs", "gone")]
    write_json(tmp_path / "in.json", asked[:1])
    assert cli.main(["frames", "--dataset-root", str(tmp_path), "--time-interval", "1"]) == 0
    (tmp_path / "ours.mkv").unlink()
    (tmp_path / "theirs").mkdir()
    for number in (1, 2):
        write_image(tmp_path / "theirs" / f"frame_{number:04d}.png", number=number)
    found = [entry["videos"] for entry in hub_of(tmp_path, *asked)]
    assert found == [["ours.mkv"], [["theirs/frame_0001.png", "theirs/frame_0002.png"]]]
    assert [line["reason"] for line in set_aside(tmp_path)] == ["missing-media"]
    shown = ["convert", str(tmp_path / "in.json"), str(tmp_path / "m.json"), "--to", "minicpm-v", "--frames", "24"]
    assert cli.main([*shown, "--dataset-root", str(tmp_path)]) == 3
    images = [list(entry["image"].values()) for entry in json.loads((tmp_path / "m.json").read_text())]
    assert images == [["ours/000001.jpg", "ours/000002.jpg"], ["theirs/frame_0001.png", "theirs/frame_0002.png"]]


def test_what_was_said_of_a_video_is_not_said_of_its_frames(tmp_path: Path) -> None:
    frames = [write_image(tmp_path / f"{number}.jpg", number=number).name for number in range(3)]
    part = {"type": "video", "video": frames, "fps": 2.0}
    source = write_json(tmp_path / "in.json", [asked(part, {"type": "text", "text": "What?"})])
    command = ["convert", str(source), str(tmp_path / "out.json"), "--to", "sharegpt", "--frames", "2"]
    assert cli.main([*command, "--dataset-root", str(tmp_path)]) == 0
    (entry,) = json.loads((tmp_path / "out.json").read_text())
    assert entry["images"] == ["0.jpg", "2.jpg"]
    assert entry["conversations"][0] == {"from": "human", "value": "<image>\n<image>\nWhat?"}
