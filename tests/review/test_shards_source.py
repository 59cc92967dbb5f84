"""Finished shards are reviewed by their index: what records say, and their media as bytes when they are asked for."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
import yaml
from media import write_clip
from mm2energon.errors import InputError
from mm2energon.review.export import export
from mm2energon.review.export_job import ExportJob
from mm2energon.review.model import Filter
from mm2energon.review.review import open_review
from mm2energon.review.shards_source import ShardsSource
from mm2energon.sample import Sample, Turn
from mm2energon.targets import TARGETS
from pipeline.making import chat, image_entry, run_shard, stored, tree_bytes, write_frames, write_images, write_json
from pipeline.originals import convert, prepare, write_sources

from review.finding import again


def shards_of(root: Path, target: str = "pai-v1") -> Path:
    """Shards of three samples with a picture and one with a video, two in each shard."""
    entries = [image_entry(name, id=name, category=f"c{n % 2}") for n, name in enumerate(write_images(root, 3))]
    entries.append({"id": "v", "videos": [write_frames(root, "v", 4)], "conversations": chat("<video>What happens?")})
    write_json(root / "dataset.json", entries)
    options = ("--max-samples-per-tar", 2, "--train-split", 1, "--val-split", 1)
    assert run_shard(root, "--target", target, *options) == 0
    return root / "wds"


@pytest.mark.parametrize("target", list(TARGETS))
def test_records_are_entries_whatever_they_were_written_for(tmp_path: Path, target: str) -> None:
    shards = shards_of(tmp_path, target)
    before = tree_bytes(shards)
    with open_review(shards) as review:
        items = [review.item(number) for number in range(review.count)]
        contents = [review.content(number) for number in range(review.count)]
        assert (review.kind, review.total, review.problem) == ("shards", 4, None)
        assert len(review.select(Filter(medium=("video",))).numbers) == 1
        assert len(review.select(Filter(category=("c1",))).numbers) == 1
        assert review.decide(review.select(), "accept") == 4
        assert review.journal_path == tmp_path / "wds.review.jsonl"
    assert tree_bytes(shards) == before
    read = {one.key: one for one in stored(shards, target)}
    for item, content in zip(items, contents, strict=True):
        shard, _, key = item.origin.partition("/")
        assert (read[key].shard, read[key].text) == (shard, item.entry)
        assert item.error is None
        assert item.sample is not None
        if target != "crude":
            assert (content.images, content.videos) == (read[key].images, read[key].videos)
        assert len(item.sample.images) == len(content.images)
        assert [len(video) for video in content.videos] == [4] * len(item.sample.videos)
        assert all(path.startswith(item.origin) for path in item.sample.images)


@pytest.mark.parametrize("with_seconds", [True, False])
def test_shards_of_both_versions_of_the_original_converter_are_reviewed_and_exported(
    tmp_path: Path, with_seconds: bool
) -> None:
    entries = write_sources(tmp_path, images=2, videos=1)
    shards = prepare(convert(tmp_path, with_seconds=with_seconds))
    with open_review(shards) as review:
        review.wait()
        said = [[turn.text for turn in one.sample.turns] for one in review.reviewed("pending") if one.sample]
        assert said == [[turn["value"] for turn in entry["conversations"]] for entry in entries]
        # The later version cuts an odd last frame.
        assert [len(video) for video in review.content(2).videos] == [4 if with_seconds else 5]
        review.decide(review.select(), "accept")
        exported = export(review, ExportJob(tmp_path / "out", ("sharegpt",)))
    assert exported.samples == 3 and exported.skipped == []
    assert len(list((tmp_path / "out/media").iterdir())) >= 3


def test_what_training_does_not_read_is_not_shown(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    [first, *_] = again(ShardsSource(shards))
    path = shards / ".nv-meta/split.yaml"
    split = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**split, "exclude": [first.entry.origin]}))
    assert first.entry.origin not in {one.entry.origin for one in again(ShardsSource(shards))}
    assert len(again(ShardsSource(shards))) == 3


def test_a_record_that_cannot_be_read_is_shown_as_that(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    [first, *_] = ShardsSource(shards).found()
    with tarfile.open(shards / first.entry.origin.partition("/")[0]) as tar:
        member = next(one for one in tar if one.name.endswith(".json"))
    with (shards / first.entry.origin.partition("/")[0]).open("r+b") as file:
        file.seek(member.offset_data)
        file.write(b"[")
    found = again(ShardsSource(shards))
    assert [one.entry.error and one.entry.error.code for one in found] == ["bad-part", None, None, None]


def test_media_of_files_are_none_of_a_shard(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [image_entry("p.jpg")])
    with open_review(path) as review, pytest.raises(InputError, match="shards were expected"):
        review.content(0)


def test_answers_that_were_kept_are_exported_with_records_of_shards(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    (tmp_path / "kept_videos").mkdir()
    clip = write_clip(tmp_path / "kept_videos/clip.mp4", frames=4)
    kept = Sample((Turn("user", "<video>What now?"), Turn("assistant", "It jumps.")), videos=("kept_videos/clip.mp4",))
    with open_review(shards) as review:
        review.wait()
        number = review.keep(kept, {"by": "a model"})
        review.decide([0, number], "accept")
        exported = export(review, ExportJob(tmp_path / "out", ("sharegpt",)))
    assert exported.records == 2 and not exported.skipped
    entries = json.loads((tmp_path / "out/train_sharegpt.json").read_bytes())
    assert entries[1]["videos"] == ["media/kept_videos/clip.mp4"]
    assert (tmp_path / "out/media/kept_videos/clip.mp4").read_bytes() == clip.read_bytes()
