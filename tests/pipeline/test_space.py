"""Space: a disk that is too small is told of before the run, and refuses nothing."""

import shutil

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.pipeline import space
from mm2energon.video.encode import FrameOptions
from mm2energon.video.sampling import Sampling

from pipeline.making import image_entry, run_shard, stored, video_entry, write_images, write_json


@pytest.fixture
def free(monkeypatch):
    """Sets what is free on every disk."""

    def of(size):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 0, size))

    return of


def test_shards_that_will_not_fit_are_told_of_and_written(tmp_path, free, caplog):
    write_images(tmp_path, 3)
    write_json(tmp_path / "dataset.json", [image_entry(f"p{n}.jpg") for n in range(3)])
    free(1000)
    assert run_shard(tmp_path) == 0
    assert "the shards take up to" in caplog.text and "0 MB are free" in caplog.text
    assert len(stored(tmp_path / "wds")) == 3


def test_what_is_there_already_needs_no_room(tmp_path, free, caplog):
    write_images(tmp_path, 3)
    write_json(tmp_path / "dataset.json", [image_entry(f"p{n}.jpg") for n in range(3)])
    assert run_shard(tmp_path) == 0
    free(0)
    assert run_shard(tmp_path) == 0
    assert not caplog.text


def test_the_estimate_of_shards_is_what_they_take_or_somewhat_more(tmp_path, free, caplog):
    write_images(tmp_path, 20)
    write_json(tmp_path / "dataset.json", [image_entry(f"p{n}.jpg") for n in range(20)])
    asked = []
    space_of = space.warn_of_shards
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mm2energon.pipeline.shard.warn_of_shards", lambda *of: (asked.append(of[1]), space_of(*of)))
        assert run_shard(tmp_path) == 0
    taken = sum(path.stat().st_size for path in (tmp_path / "wds").glob("*.tar"))
    assert taken <= asked[0] <= taken + 20 * 10_000 + 50_000


def test_frames_that_may_not_fit_are_told_of_and_extracted(tmp_path, free, caplog):
    write_clip(tmp_path / "v.mp4", frames=21, rate=10)
    write_json(tmp_path / "train.json", [video_entry("v.mp4")])
    free(100)
    for _ in range(2):
        assert cli.main(["frames", "--dataset-root", str(tmp_path), "--workers", "1"]) == 0
    assert caplog.text.count("by a rough estimate") == 1  # the second run has nothing left to extract


@pytest.mark.parametrize(
    ("sampling", "most"),
    [
        (Sampling(interval_seconds=1.0), 8_000),
        (Sampling(interval_seconds=0.5), 16_000),
        (Sampling(fps=4.0), 32_000),
        (Sampling(num_frames=3), 600_000),
    ],
)
def test_the_estimate_of_frames_follows_their_number(tmp_path, free, caplog, sampling, most):
    options = FrameOptions(sampling)
    free(most)
    space.warn_of_frames(tmp_path / "not there yet", {"v.mp4": 10_000}, options)
    assert not caplog.text
    free(most - 1)
    space.warn_of_frames(tmp_path, {"v.mp4": 10_000}, options)
    assert "go on" in caplog.text or "goes on" in caplog.text
