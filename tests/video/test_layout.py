"""Where frames lie and what is found there: ours, other tools', unfinished ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from media import write_clip, write_image
from mm2energon.errors import MediaError
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.sampling import Sampling

OPTIONS = FrameOptions(Sampling(fps=2))


def make_folder(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir()
    return [write_image(folder / name) for name in names]


def test_there_is_nothing_to_find_where_nothing_is(tmp_path: Path) -> None:
    assert find_frames(tmp_path / "v.mp4") is None


def test_our_frames_are_found_when_the_video_is_gone(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    made = extract_frames(video, OPTIONS)
    video.unlink()
    assert find_frames(video) == made


def test_frames_of_another_container_are_not_those_of_this_video(tmp_path: Path) -> None:
    extract_frames(write_clip(tmp_path / "v.mkv"), OPTIONS)
    assert find_frames(tmp_path / "v.mp4") is None


@pytest.mark.parametrize("fps", ["2.0", 2, 2.0, "2", "2/1"])
def test_frames_of_other_tools_are_all_pictures_in_name_order(tmp_path: Path, fps: Any) -> None:
    paths = make_folder(tmp_path / "v", ["a.jpg", "b.PNG", "c.webp", "d.bmp", "e.jpeg"])
    (tmp_path / "v" / ".hidden.jpg").touch()
    (tmp_path / "v" / "notes.txt").touch()
    (tmp_path / "v.json").write_text(json.dumps({"fps": fps}))
    found = find_frames(tmp_path / "v.mp4")
    assert found is not None
    assert (found.paths, found.fps, found.times) == (tuple(paths), 2.0, None)
    assert found.sidecar == tmp_path / "v.json"


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "10.png", "11.png", "100.png"],
        ["frame_9.jpg", "frame_10.jpg"],
        ["1.25.jpg", "1.5.jpg"],
        ["a10.jpg", "b2.jpg"],
        ["000009.jpg", "000010.jpg"],
    ],
)
def test_numbers_without_leading_zeros_are_read_as_numbers(tmp_path: Path, names: list[str]) -> None:
    paths = make_folder(tmp_path / "v", list(reversed(names)))
    (tmp_path / "v.json").write_text('{"fps": "2.0"}')
    found = find_frames(tmp_path / "v.mp4")
    assert found is not None
    assert found.paths == tuple(reversed(paths))


def test_our_own_frames_come_before_those_of_other_tools(tmp_path: Path) -> None:
    make_folder(tmp_path / "v", ["a.jpg"])
    (tmp_path / "v.json").write_text('{"fps": "1.0"}')
    made = extract_frames(write_clip(tmp_path / "v.mp4"), OPTIONS)
    assert made.paths[0].parent.name == "v.mp4.frames"
    assert find_frames(tmp_path / "v.mp4") == made


@pytest.mark.parametrize(
    "text",
    ["", "{", "[2.0]", "{}", '{"fps": null}', '{"fps": "fast"}', '{"fps": 0}', '{"fps": -1}', '{"fps": true}']
    + ['{"fps": "1e999999999"}', '{"fps": "nan"}', '{"fps": Infinity}', '{"fps": "1/0"}', '{"fps": [2]}'],
)
def test_a_sidecar_without_a_usable_rate_is_an_error(tmp_path: Path, text: str) -> None:
    make_folder(tmp_path / "v", ["a.jpg"])
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(MediaError) as caught:
        find_frames(tmp_path / "v.mp4")
    assert caught.value.code == "bad-sidecar"


def test_a_sidecar_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v.json").write_text('{"fps": "2.0"}')
    with pytest.raises(MediaError) as caught:
        find_frames(tmp_path / "v.mp4")
    assert caught.value.code == "no-frames"


def test_a_json_beside_a_video_without_a_folder_means_nothing(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4", frames=1)
    (tmp_path / "v.json").write_text('{"caption": "a cat"}')
    assert find_frames(video) is None


def test_pictures_alone_need_a_rate(tmp_path: Path) -> None:
    paths = make_folder(tmp_path / "v", ["1.jpg", "2.jpg"])
    with pytest.raises(MediaError) as caught:
        find_frames(tmp_path / "v.mp4")
    assert caught.value.code == "unfinished-frames"
    found = find_frames(tmp_path / "v.mp4", default_fps=4.0)
    assert found is not None
    assert (found.paths, found.fps, found.sidecar) == (tuple(paths), 4.0, None)


def test_frames_that_have_lost_one_are_unfinished(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, OPTIONS).paths[1].unlink()
    assert find_frames(video) is None
    assert len(extract_frames(video, OPTIONS).paths) == 4


def test_frames_of_a_video_that_has_changed_are_not_found(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, OPTIONS)
    write_clip(video, frames=90)
    assert find_frames(video) is None
