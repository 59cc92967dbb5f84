"""Which place the frames of a video take, and that nothing is touched there that is not ours."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from media import ffmpeg, read_numbers, write_clip, write_image
from mm2energon.errors import MediaError
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.sampling import Sampling

HALF_SECOND = FrameOptions(Sampling(interval_seconds=0.5))
AT_30_FPS = [0, 15, 30, 45]


def numbers(video: Path, options: FrameOptions = HALF_SECOND) -> list[int | None]:
    return read_numbers(extract_frames(video, options).paths)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_videos_of_one_stem_never_mix(tmp_path: Path) -> None:
    second = write_clip(tmp_path / "v.mp4", first=200)
    first = write_clip(tmp_path / "v.mkv", first=100)
    assert numbers(second) == [200, 215, 230, 245]  # first in the work, second by name
    assert numbers(first) == [100, 115, 130, 145]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"v", "v.mp4.frames"}
    for video, frame in ((first, 100), (second, 200)):
        found = find_frames(video)
        assert found is not None
        assert read_numbers(found.paths)[0] == frame


def test_what_lies_at_the_place_and_is_not_ours_stays_as_it_is(tmp_path: Path) -> None:
    for stem in ("folder", "json"):
        write_clip(tmp_path / f"{stem}.mp4")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    (tmp_path / "json.json").write_text('{"caption": "mine", "fps": 30, "source": "json.mp4"}')
    for stem in ("folder", "json"):
        assert numbers(tmp_path / f"{stem}.mp4") == AT_30_FPS
        assert (tmp_path / f"{stem}.mp4.frames" / "000001.jpg").is_file()
    assert (tmp_path / "folder" / "notes.txt").read_text() == "mine"
    assert "mine" in (tmp_path / "json.json").read_text()


def test_where_both_places_are_taken_nothing_is_touched(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    mine = [tmp_path / "v.json", tmp_path / "v.mp4.frames.json"]
    for path in mine:
        path.write_text('{"mine": 1}')
    with pytest.raises(MediaError) as caught:
        extract_frames(video, HALF_SECOND)
    assert caught.value.code == "bad-sidecar"
    assert [path.read_text() for path in mine] == ['{"mine": 1}'] * 2


def test_a_file_that_the_user_puts_among_our_frames_stays(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, HALF_SECOND)
    note = tmp_path / "v" / "note.txt"
    note.write_text("mine")
    frames = extract_frames(video, FrameOptions(Sampling(fps=1)))
    assert [path.name for path in frames.paths] == ["000001.jpg", "000002.jpg"]
    assert note.read_text() == "mine"
    assert find_frames(video) == frames


def test_pictures_of_the_user_are_not_taken_for_unfinished_frames(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    (tmp_path / "v").mkdir()
    ffmpeg("-i", video, tmp_path / "v" / "%06d.jpg")
    write_image(tmp_path / "v" / "123456789.jpg")
    mine = contents(tmp_path / "v")
    assert len(mine) == 61
    for options in (HALF_SECOND, FrameOptions(Sampling(fps=1))):
        frames = extract_frames(video, options)
        assert frames.paths[0].parent == tmp_path / "v.mp4.frames"
        assert contents(tmp_path / "v") == mine
        assert find_frames(video) == frames


def test_an_empty_folder_or_one_of_hidden_files_is_a_free_place(tmp_path: Path) -> None:
    for stem in ("empty", "hidden"):
        (tmp_path / stem).mkdir()
    (tmp_path / "hidden" / ".DS_Store").write_text("mine")
    for stem in ("empty", "hidden"):
        assert extract_frames(write_clip(tmp_path / f"{stem}.mp4"), HALF_SECOND).paths[0].parent == tmp_path / stem
    assert (tmp_path / "hidden" / ".DS_Store").read_text() == "mine"


def test_other_tools_that_list_the_folder_find_frames_alone(tmp_path: Path) -> None:
    frames = extract_frames(write_clip(tmp_path / "v.mp4"), HALF_SECOND)
    assert sorted((tmp_path / "v").iterdir()) == list(frames.paths)


def test_a_picture_of_the_user_among_our_frames_is_neither_a_frame_nor_removed(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, FrameOptions(Sampling(fps=1)))
    mine = write_image(tmp_path / "v" / "000004.jpg", number=999)
    before = mine.read_bytes()
    found = find_frames(video)
    assert found is not None
    assert read_numbers(found.paths) == [0, 30]
    with pytest.raises(MediaError, match="000004.jpg") as caught:  # the new frames would need its name
        extract_frames(video, HALF_SECOND)
    assert caught.value.code == "bad-sidecar"
    assert mine.read_bytes() == before
    assert find_frames(video) == found


def test_a_folder_that_is_a_symbolic_link_is_not_written_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    video = write_clip(root / "v.mp4")
    for target in (outside, tmp_path / "nowhere"):
        (root / "v").unlink(missing_ok=True)
        (root / "v").symlink_to(target)
        assert numbers(video) == AT_30_FPS
        assert (root / "v.mp4.frames" / "000001.jpg").is_file()
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_frames_that_were_moved_behind_a_link_are_read_but_new_ones_stay_inside(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, HALF_SECOND)
    (tmp_path / "v").rename(tmp_path / "elsewhere")
    (tmp_path / "v").symlink_to("elsewhere")
    behind = contents(tmp_path / "elsewhere")
    found = find_frames(video)
    assert found is not None
    assert read_numbers(found.paths) == AT_30_FPS
    frames = extract_frames(video, FrameOptions(Sampling(fps=1)))
    assert frames.paths[0].parent == tmp_path / "v.mp4.frames"
    assert find_frames(video) == frames == extract_frames(video, FrameOptions(Sampling(fps=1)))
    assert contents(tmp_path / "elsewhere") == behind


ONE_STEM = [
    ("a.Mov", "a.Mp4"),
    ("b.bin", "b.dat"),
    ("c.mp4", "c.video"),
    ("d.mkv", "D.mp4"),
    ("e.AVI", "e.mp4"),
    ("f.mp4", "f.a"),
    ("ge\u0301.mp4", "g\u00e9.mkv"),
]


def make_pairs(folder: Path) -> dict[str, int]:
    """Two videos for each pair of names, and the number that each begins with."""
    firsts = {name: 100 * count for count, name in enumerate(name for pair in ONE_STEM for name in pair)}
    for name, first in firsts.items():
        write_clip(folder / name, first=first, container_format="matroska")
    return firsts


def placed(folder: Path) -> dict[str, str]:
    """Source -> sidecar, of all sidecars in a folder."""
    return {json.loads(path.read_text())["source"]: path.name for path in folder.glob("*.json")}


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_the_order_of_the_work_does_not_say_which_of_a_stem_has_the_plain_place(tmp_path: Path, order: str) -> None:
    firsts = make_pairs(tmp_path)
    for name in list(firsts)[:: 1 if order == "forward" else -1]:
        assert numbers(tmp_path / name)[0] == firsts[name]
    for first, second in ONE_STEM:
        assert placed(tmp_path)[first] == f"{Path(first).stem}.json"
        assert placed(tmp_path)[second] == f"{second}.frames.json"
    assert {name: numbers(tmp_path / name)[0] for name in firsts} == firsts


def numbers_in_a_worker(video: Path) -> list[int | None]:
    return numbers(video)


def test_videos_of_one_stem_do_not_mix_when_many_workers_are_at_them(tmp_path: Path) -> None:
    firsts = make_pairs(tmp_path)
    work = [name for name in firsts for _ in range(2)]
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        taken = list(pool.map(numbers_in_a_worker, [tmp_path / name for name in work]))
    assert taken == [[firsts[name] + frame for frame in AT_30_FPS] for name in work]
    assert placed(tmp_path).keys() == firsts.keys()
    assert not list(tmp_path.glob(".*"))


def test_what_mostly_lies_beside_a_video_does_not_take_its_place(tmp_path: Path) -> None:
    for suffix in (".aac", ".bin", ".jpg", ".srt", ".txt"):
        (tmp_path / f"v{suffix}").touch()
    assert extract_frames(write_clip(tmp_path / "v.mp4"), HALF_SECOND).paths[0].parent == tmp_path / "v"


def test_a_video_that_comes_later_leaves_the_frames_of_the_first_where_they_are(tmp_path: Path) -> None:
    assert extract_frames(write_clip(tmp_path / "v.mp4"), HALF_SECOND).paths[0].parent == tmp_path / "v"
    later = extract_frames(write_clip(tmp_path / "v.avi", codec="mpeg4", first=100), HALF_SECOND)
    assert later.paths[0].parent == tmp_path / "v.avi.frames"
    assert numbers(tmp_path / "v.mp4") == AT_30_FPS


@pytest.mark.parametrize("length", [240, 244, 250])
def test_a_long_name_is_as_good_as_any(tmp_path: Path, length: int) -> None:
    video = write_clip(tmp_path / "v.mp4").rename(tmp_path / ("k" * (length - 4) + ".mp4"))
    assert numbers(video) == AT_30_FPS
    assert {path.name for path in tmp_path.iterdir()} == {video.name, video.stem, f"{video.stem}.json"}


def test_a_name_that_leaves_no_room_for_ours_costs_that_video_alone(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "v.mp4").rename(tmp_path / ("k" * 251 + ".mp4"))
    taken = write_clip(tmp_path / "v.mp4").rename(tmp_path / ("t" * 240 + ".mp4"))
    (tmp_path / ("t" * 240)).write_text("mine")
    for path in (video, taken):
        assert find_frames(path) is None
        with pytest.raises(MediaError) as caught:
            extract_frames(path, HALF_SECOND)
        assert caught.value.code == "bad-sidecar"
    assert {path.name for path in tmp_path.iterdir()} == {video.name, taken.name, taken.stem}


@pytest.mark.parametrize("name", ["k" * 300 + ".mp4", "\ud800.mp4", "nul\0.mp4", "folder", "v.mp4/v.mp4"])
def test_a_name_that_no_file_has_is_a_missing_video(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "v.mp4").touch()
    with pytest.raises(MediaError) as caught:
        extract_frames(tmp_path / name, HALF_SECOND)
    assert caught.value.code == "missing-media"


def test_a_sidecar_that_may_not_be_read_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_clip(tmp_path / "v.mp4")
    extract_frames(video, HALF_SECOND)

    def refuse(_path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("mm2energon.video.places.read_regular", refuse)
    for ask in (find_frames, lambda path: extract_frames(path, HALF_SECOND)):
        with pytest.raises(MediaError, match=r"v\.json: Permission denied; expected") as caught:
            ask(video)
        assert caught.value.code == "no-permission"
