"""A pack holds the very frames that a folder beside the video would hold."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from media import write_clip
from mm2energon.errors import MediaError
from mm2energon.stopwatch import Stopwatch
from mm2energon.video import pack as pack_module
from mm2energon.video.extract import FrameOptions, extract_frames
from mm2energon.video.pack import PackReader, Packs, forget_frames, holds_frames, pack_frames
from mm2energon.video.sampling import Sampling

OPTIONS = FrameOptions(Sampling(interval_seconds=0.2))


def packs_in(folder: Path, options: FrameOptions = OPTIONS) -> Packs:
    return Packs(folder / "root", folder / "packs", options)


def pack(packs: Packs, video: str, *, threads: int = 1) -> int:
    watch = Stopwatch()
    about = pack_frames(packs.root / video, packs.options, packs.pack_of(video), threads=threads, watch=watch)
    return len(about["times"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "films"
    folder.mkdir(parents=True)
    write_clip(folder / "a.mp4", frames=100, gop=10, b_frames=2)
    return folder.parent


@pytest.mark.parametrize("threads", [1, 3])
def test_the_frames_and_what_is_said_of_them_are_those_of_a_folder(tmp_path: Path, root: Path, threads: int) -> None:
    beside = Path(shutil.copytree(root, tmp_path / "beside"))
    frames = extract_frames(beside / "films" / "a.mp4", OPTIONS)
    packs = packs_in(tmp_path)
    assert pack(packs, "films/a.mp4", threads=threads) == len(frames.paths) == 17
    reader = PackReader(packs.folder)
    for path in frames.paths:
        assert reader.read(path.relative_to(beside).as_posix()) == path.read_bytes()
    assert frames.sidecar is not None
    said = json.loads(frames.sidecar.read_text())
    about = packs.read("films/a.mp4")
    assert about is not None
    assert {key: about[key] for key in said} == said
    assert sorted(path.name for path in (root / "films").iterdir()) == ["a.mp4"]
    assert len(list(packs.folder.iterdir())) == 2


def test_what_no_pack_holds_is_not_read(tmp_path: Path, root: Path) -> None:
    packs = packs_in(tmp_path)
    pack(packs, "films/a.mp4")
    reader = PackReader(packs.folder)
    for path in ("films/a/000000.jpg", "films/a/000018.jpg", "films/a/x.jpg", "films/b/000001.jpg", "a.jpg"):
        assert reader.read(path) is None


def test_a_pack_is_made_once_and_anew_for_another_video_or_other_options(tmp_path: Path, root: Path) -> None:
    packs = packs_in(tmp_path)
    pack(packs, "films/a.mp4")
    made = packs.pack_of("films/a.mp4").with_suffix(".jpegs")
    before = made.stat().st_mtime_ns
    pack(packs, "films/a.mp4")
    assert made.stat().st_mtime_ns == before
    assert packs_in(tmp_path, replace(OPTIONS, quality=50)).read("films/a.mp4") is None
    os.utime(root / "films" / "a.mp4", ns=(1, 1))
    assert packs.read("films/a.mp4") is None
    pack(packs, "films/a.mp4")
    assert packs.read("films/a.mp4") is not None


def test_frames_that_were_taken_away_are_known_and_made_again(tmp_path: Path, root: Path) -> None:
    packs = packs_in(tmp_path)
    pack(packs, "films/a.mp4")
    (packs.folder / ".left.0.mm2energon-tmp").write_bytes(b"by a run that was killed")
    forget_frames(packs.folder)
    about = packs.read("films/a.mp4")
    assert about is not None
    assert not holds_frames(packs.pack_of("films/a.mp4"), about)
    assert PackReader(packs.folder).read("films/a/000001.jpg") is None
    assert [path.suffix for path in packs.folder.iterdir()] == [".json"]
    pack(packs, "films/a.mp4")
    assert holds_frames(packs.pack_of("films/a.mp4"), about)


def test_a_video_that_fails_leaves_nothing(tmp_path: Path, root: Path) -> None:
    packs = packs_in(tmp_path)
    (root / "films" / "bad.mp4").write_bytes((root / "films" / "a.mp4").read_bytes()[:2000])
    with pytest.raises(MediaError):
        pack(packs, "films/bad.mp4")
    assert list(packs.folder.iterdir()) == []


def test_many_packs_are_read_with_few_files_open(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packs = packs_in(tmp_path)
    for name in ("b", "c", "d"):
        shutil.copy2(root / "films" / "a.mp4", root / "films" / f"{name}.mp4")
    for name in "abcd":
        pack(packs, f"films/{name}.mp4")
    monkeypatch.setattr(pack_module, "_OPEN_PACKS", 2)
    reader = PackReader(packs.folder)
    first = [reader.read(f"films/{name}/000001.jpg") for name in "abcdabcd"]
    assert None not in first
    assert len(set(first)) == 1
    assert len(reader._open) <= 2
