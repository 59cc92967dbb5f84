"""Extract: frames of many videos, the largest first, each fault costing one video."""

import errno
from types import SimpleNamespace

import pytest
from media import read_number, write_clip
from mm2energon.pipeline import extract as extract_module
from mm2energon.pipeline import pool
from mm2energon.pipeline.extract import Extraction, extract_all
from mm2energon.pipeline.loop import Limits, Outcome
from mm2energon.video.extract import FrameOptions
from mm2energon.video.pack import Packs
from mm2energon.video.sampling import Sampling

from pipeline import steps
from pipeline.making import unprivileged


def extraction(workers=1, **limits):
    return Extraction(FrameOptions(Sampling(interval_seconds=1.0)), workers, Limits(**limits))


@pytest.mark.parametrize("workers", [0, 2])
def test_each_video_comes_with_its_frames_or_a_reason_the_largest_first(tmp_path, workers):
    for number in range(3):
        write_clip(tmp_path / f"v{number}.mp4", frames=10 * number + 11, rate=10, first=100 * number)
    (tmp_path / "bad.mp4").write_bytes(b"x")
    found = list(extract_all(tmp_path, ["v2.mp4", "bad.mp4", "gone.mp4", "v0.mp4", "v1.mp4"], extraction(workers)))
    assert [(one.video, one.frames, one.error and one.error.code) for one in found] == [
        ("v2.mp4", 4, None),
        ("v1.mp4", 3, None),
        ("v0.mp4", 2, None),
        ("bad.mp4", 0, "unreadable-video"),
        ("gone.mp4", 0, "missing-media"),
    ]
    assert [read_number(path) for path in sorted((tmp_path / "v2").iterdir())] == [200, 210, 220, 230]


@pytest.mark.parametrize("kind", [ValueError, IndexError, ZeroDivisionError, RuntimeError, UnicodeDecodeError])
def test_an_error_of_a_decoder_that_nobody_foresaw_costs_one_video(tmp_path, monkeypatch, kind):
    arguments = ("utf-8", b"x", 0, 1, "bad") if kind is UnicodeDecodeError else ("strange",)

    def fail(path, options, **threads):
        if path.name == "a.mp4":
            raise kind(*arguments)
        return real(path, options, **threads)

    real = extract_module.extract_frames
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, frames=11, rate=10)
    monkeypatch.setattr(extract_module, "extract_frames", fail)
    bad, good = extract_all(tmp_path, ["a.mp4", "b.mp4"], extraction(0))
    assert bad.error.code == "unreadable-video" and kind.__name__ in str(bad.error) and good.frames == 2


def test_a_video_whose_decoder_crashes_or_hangs_leaves_nothing_half_done(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr(extract_module, "extract_unit", steps.die_at_work)
    monkeypatch.setattr(pool, "_GRACE_SECONDS", 0.1)
    found = extract_all(tmp_path, ["a.mp4", "b.mp4"], extraction(2, seconds=5))
    assert [one.error.code for one in found] == ["worker-died", "video-timeout"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_folder_that_is_not_ours_to_write_to_costs_its_videos_alone(open_folder):
    for name in ("a.mp4", "sub/b.mp4"):
        (open_folder / name).parent.mkdir(exist_ok=True)
        write_clip(open_folder / name, frames=11, rate=10)
    (open_folder / "sub").chmod(0o555)
    with unprivileged():
        good, bad = extract_all(open_folder, ["a.mp4", "sub/b.mp4"], extraction(0))
    assert good.frames == 2 and bad.error.code == "no-permission" and "sub/b.mp4" in str(bad.error)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EPERM])
def test_a_file_system_that_only_reads_costs_the_video(tmp_path, monkeypatch, number):
    def fail(_path, _options, **_threads):
        raise OSError(number, "not here")

    write_clip(tmp_path / "a.mp4", frames=11, rate=10)
    monkeypatch.setattr(extract_module, "extract_frames", fail)
    (bad,) = extract_all(tmp_path, ["a.mp4"], extraction(0))
    assert bad.error.code == "no-permission"


def test_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    def fail(_path, _options, **_threads):
        raise OSError(28, "No space left on device")

    write_clip(tmp_path / "a.mp4", frames=11, rate=10)
    monkeypatch.setattr(extract_module, "extract_frames", fail)
    with pytest.raises(OSError, match="No space"):
        list(extract_all(tmp_path, ["a.mp4"], extraction(0)))


def threads_of(monkeypatch, tmp_path, names, workers):
    """How many stretches of each video are asked for at a time."""
    asked = {}

    def note(path, _options, *, threads, watch, allowance):
        asked[path.name] = threads
        return SimpleNamespace(names=(), partial=None)

    def run_here(step, units, **_how):
        return (Outcome(unit, result=step(unit)) for unit in units)

    monkeypatch.setattr(extract_module, "extract_frames", note)
    monkeypatch.setattr(extract_module, "run_each", run_here)
    list(extract_all(tmp_path, names, extraction(workers)))
    return asked


def test_a_video_that_is_a_large_part_of_the_work_is_shared_out(tmp_path, monkeypatch):
    for name, size in (("long.mp4", 9000), ("a.mp4", 500), ("b.mp4", 500)):
        (tmp_path / name).write_bytes(bytes(size))
    names = ["a.mp4", "long.mp4", "b.mp4"]
    assert threads_of(monkeypatch, tmp_path, names, 4) == {"long.mp4": 4, "a.mp4": 1, "b.mp4": 1}
    assert threads_of(monkeypatch, tmp_path, names, 1) == {"long.mp4": 1, "a.mp4": 1, "b.mp4": 1}
    assert threads_of(monkeypatch, tmp_path, ["a.mp4"], 2) == {"a.mp4": 2}


def test_frames_that_go_into_packs_need_no_right_to_write_beside_the_video(open_folder):
    root, packs = open_folder / "data", open_folder / "packs"
    root.mkdir()
    packs.mkdir()
    write_clip(root / "a.mp4", frames=11, rate=10)
    packs.chmod(0o777)
    root.chmod(0o555)
    asked = extraction(0)
    with unprivileged():
        (one,) = extract_all(root, ["a.mp4"], asked, packs=Packs(root, packs, asked.options))
    assert (one.frames, one.error) == (2, None)
    assert set(one.spent) == {"read", "decode", "convert", "encode", "write"}
    assert {path.suffix for path in packs.iterdir()} == {".jpegs", ".json"}
