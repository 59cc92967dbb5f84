"""Splits of an export: what shares a medium stays together, and where `shard` would put it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from media import write_clip, write_image
from mm2energon.review.export import export
from mm2energon.review.export_job import ExportJob, ShardsWanted
from pipeline.making import chat, image_entry, stored, text_entry, video_entry, write_frames, write_json

from review.reviewing import StandIn, row, write_csv

SHARES = {"train": 8.0, "val": 1.0, "test": 1.0}


@pytest.fixture(autouse=True)
def without_energon(monkeypatch):
    """Shards are read back by readers of our own alone: Energon takes seconds to load."""
    monkeypatch.setattr("mm2energon.pipeline.verify_energon.is_installed", lambda: False)


def exported_to(tmp_path, review, **options):
    """Split -> the entries of its file."""
    export(review, ExportJob(tmp_path / "out", ("sharegpt",), status="any", **options))
    found = {}
    for split in ("train", "val", "test"):
        path = tmp_path / "out" / f"{split}_sharegpt.json"
        found[split] = json.loads(path.read_text()) if path.is_file() else []
    return found


def test_samples_of_one_video_are_in_one_split_under_whatever_name_they_call_it(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    rows = []
    for number in range(40):
        clip = folder / f"{number}.mp4"
        clip.write_bytes(b"any")
        (folder / f"link-{number}.mp4").symlink_to(clip)
        names = [f"clips/{number}.mp4", f"./clips/../clips/{number}.mp4", str(clip), f"clips/link-{number}.mp4"]
        rows += [row(len(rows) + place, video=name) for place, name in enumerate(names)]
    review = StandIn(write_csv(tmp_path / "a.csv", *rows))
    # The files are no videos: nobody opens them here.
    found = exported_to(tmp_path, review, shares=SHARES, checks_videos=False)
    assert sum(len(entries) for entries in found.values()) == 160
    assert 8 <= len(found["val"]) <= 24 and 8 <= len(found["test"]) <= 24
    for split, entries in found.items():
        others = {int(one["id"]) // 4 for other in found if other != split for one in found[other]}
        assert others.isdisjoint(int(entry["id"]) // 4 for entry in entries)


def test_copies_and_hard_links_of_a_video_are_in_the_split_of_the_video_in_files_and_in_shards(tmp_path):
    rows = []
    for number in range(4):
        clip = write_clip(tmp_path / f"{number}.mp4", frames=10, rate=10, size=(32, 32), first=10 * number)
        shutil.copy(clip, tmp_path / f"copy-{number}.mp4")
        (tmp_path / f"link-{number}.mp4").hardlink_to(clip)
        if number % 2:
            write_frames(tmp_path, f"copy-{number}", 2)
        names = [f"{number}.mp4", f"copy-{number}.mp4", f"link-{number}.mp4"]
        rows += [row(len(rows) + place, video=name) for place, name in enumerate(names)]
    review = StandIn(write_csv(tmp_path / "a.csv", *rows))
    shards = ShardsWanted(tmp_path / "wds", "pai-v1", interval_seconds=0.3)
    found = exported_to(tmp_path, review, shares={"train": 1, "val": 1}, shards=shards)
    splits = [{split for split, some in found.items() for one in some if int(one["id"]) // 3 == n} for n in range(4)]
    assert sorted(map(len, splits)) == [1] * 4 and len(found["train"]) == len(found["val"]) == 6
    assert {one["videos"][0] for some in found.values() for one in some} >= {"copy-0.mp4", "link-3.mp4"}
    by_shard = {one.text["id"]: {one.split} for one in stored(tmp_path / "wds")}
    assert by_shard == {str(number): splits[number // 3] for number in range(12)}


def test_samples_that_share_any_medium_and_pieces_of_one_recording_stay_together(tmp_path):
    piece = {"extra": {"recording": "talk.mp4"}}
    entries = []
    for number in range(30):
        images = [image_entry(f"p{number}.jpg", id=number), image_entry(f"q{number}.jpg", f"p{number}.jpg", id=number)]
        frames = {"conversations": chat("<video>Q?"), "videos": [[f"q{number}.jpg", f"r{number}.jpg"]], "id": number}
        entries += [
            *images,
            frames,
            {**text_entry(number), "id": f"t{number}"},
            {**text_entry(number), "id": f"t{number}"},
        ]
    entries += [{**text_entry(number), "id": f"talk{number}", **piece} for number in range(20)]
    review = StandIn(write_json(tmp_path / "a.json", entries))
    found = exported_to(tmp_path, review, shares=SHARES, checks_videos=False)
    ids = {split: {str(entry["id"]).rstrip("0123456789") + "" for entry in some} for split, some in found.items()}
    by_id = {split: [entry["id"] for entry in some] for split, some in found.items()}
    for split in found:
        for other in found.keys() - {split}:
            assert not set(by_id[split]) & set(by_id[other])
    assert sum("talk" in one for one in ids.values()) == 1


def test_a_split_that_nothing_is_left_for_is_told(tmp_path):
    path = write_csv(tmp_path / "a.csv", *(row(number, video=f"{number % 2}.mp4") for number in range(6)))
    job = ExportJob(tmp_path / "out", ("sharegpt",), status="any", shares=SHARES, checks_videos=False)
    told = export(StandIn(path), job).advice
    assert [line for line in told if "no samples" in line and line.startswith("test: ")]
    assert export(StandIn(path), replace(job, shares={"train": 1, "val": 1})).advice == []


def test_a_sample_is_in_the_split_that_shard_puts_it_into(tmp_path):
    entries = []
    for number in range(24):
        video = write_frames(tmp_path, f"clips/v{number}", 2)
        entries += [
            video_entry(f"clips/{video}".replace("clips/clips", "clips"), id=f"{number}-{turn}")
            for turn in range(1 + number % 3)
        ]
        picture = write_image(tmp_path / f"p{number}.jpg", number=number).name
        entries += [image_entry(picture, id=f"p{number}"), text_entry(number, id=f"t{number}")]
    review = StandIn(write_json(tmp_path / "a.json", entries))
    shards = ShardsWanted(tmp_path / "wds", "pai-v1")
    found = exported_to(tmp_path, review, shares=SHARES, checks_videos=False, shards=shards)
    by_shard = {one.text["id"]: one.split for one in stored(tmp_path / "wds")}
    by_file = {entry["id"]: split for split, some in found.items() for entry in some}
    assert by_shard == by_file and set(by_file.values()) == {"train", "val", "test"}


def test_samples_that_shards_put_elsewhere_are_told(tmp_path):
    entries = []
    for number in range(16):
        video = write_frames(tmp_path, f"v{number}", 1 if number % 4 == 0 else 2)  # one frame is too few
        entries.append(video_entry(video, id=number))
    review = StandIn(write_json(tmp_path / "a.json", entries))
    shards = ShardsWanted(tmp_path / "wds", "pai-v1")
    job = ExportJob(
        tmp_path / "out", ("sharegpt",), status="any", shares={"train": 1, "val": 1}, checks_videos=False, shards=shards
    )
    exported = export(review, job)
    by_shard = {one.text["id"]: one.split for one in stored(tmp_path / "wds")}
    by_file = {
        entry["id"]: split
        for split in ("train", "val")
        for entry in json.loads((tmp_path / "out" / f"{split}_sharegpt.json").read_text())
    }
    moved = sum(by_file[name] != split for name, split in by_shard.items())
    assert len(by_shard) == 12 and len(by_file) == 16 and moved
    assert exported.shards[-1].startswith(f"note: {moved} samples are in other splits")
    assert exported.shards_status == 3
