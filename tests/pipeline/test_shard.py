"""Shard: what goes in comes out, once, as its target wants it, or is accounted for."""

import json
import re
import shutil

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from media import read_number, write_clip, write_image
from mm2energon import cli
from mm2energon.errors import REASONS
from mm2energon.shards.energon import load_split
from mm2energon.targets import TARGETS
from PIL import Image

from pipeline.making import (
    chat,
    image_dataset,
    image_entry,
    number_of,
    run_shard,
    set_aside,
    shard_of,
    stored,
    text_entry,
    video_entry,
    write_frames,
    write_images,
    write_json,
)


def test_every_entry_is_written_once_with_its_own_pictures(tmp_path):
    status, samples = image_dataset(tmp_path, 12) and (run_shard(tmp_path), stored(tmp_path / "wds"))
    assert status == 0
    assert sorted(number_of(sample.images[0]) for sample in samples) == list(range(12))
    assert all(sample.text["id"] == f"p{number_of(sample.images[0])}" for sample in samples)


def test_pictures_go_in_byte_for_byte(tmp_path):
    for name in ("a.jpg", "b.png", "c.webp"):
        write_image(tmp_path / name)
    _, samples = shard_of(tmp_path, [image_entry("a.jpg", "b.png", "c.webp")])
    assert samples[0].images == [(tmp_path / name).read_bytes() for name in ("a.jpg", "b.png", "c.webp")]


def test_mixed_samples_keep_the_order_of_their_media(tmp_path):
    write_images(tmp_path, 3)
    for number in (1, 2):
        write_frames(tmp_path, f"v{number}", 4, first=number * 10)
    entries = [
        {
            "conversations": chat("<video>a<image>b<video>c<image>"),
            "images": ["p2.jpg", "p1.jpg"],
            "videos": ["v2.mp4", "v1.mp4"],
        },
        text_entry(),
        image_entry("p0.jpg"),
    ]
    status, samples = shard_of(tmp_path, entries, "--val-split", 0)
    assert status == 0
    assert [number_of(data) for data in samples[0].images] == [2, 1]
    assert [[number_of(frame) for frame in video] for video in samples[0].videos] == [
        [20, 21, 22, 23],
        [10, 11, 12, 13],
    ]
    assert (samples[1].images, samples[1].videos) == ([], [])


def test_llava_sharegpt_and_messages_entries_are_taken_as_they_are(tmp_path):
    write_images(tmp_path, 3)
    entries = [
        image_entry("p0.jpg"),
        {"image": "p1.jpg", "conversations": chat("<image>\nq")},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "image": "p2.jpg"}, {"type": "text", "text": "q"}]},
                {"role": "assistant", "content": "a"},
            ]
        },
    ]
    status, samples = shard_of(tmp_path, entries)
    assert (status, sorted(number_of(sample.images[0]) for sample in samples)) == (0, [0, 1, 2])
    assert {turn["from"] for sample in samples for turn in sample.text["conversations"]} == {"human", "gpt"}


def test_a_video_without_frames_is_extracted_on_the_way_at_two_frames_a_second(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=41, rate=10)
    status, samples = shard_of(tmp_path, [video_entry("v.mp4")])
    assert status == 0
    assert [number_of(frame) for frame in samples[0].videos[0]] == [0, 5, 10, 15, 20, 25, 30, 35]  # 40 is cut: odd
    assert samples[0].text["second_per_grid_ts"] == [1.0]
    assert "1 videos had no frames and were extracted" in capsys.readouterr().out


def test_an_interval_that_comes_too_late_for_a_video_is_noted(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=41, rate=10)
    shard_of(tmp_path, [video_entry("v.mp4")], "--time-interval", 1)
    assert "had frames already" not in capsys.readouterr().out
    shard_of(tmp_path, [video_entry("v.mp4")], "--restart")
    assert "had frames already" not in capsys.readouterr().out
    _, samples = shard_of(tmp_path, [video_entry("v.mp4")], "--restart", "--time-interval", 0.5)
    assert "note: videos that had frames already were taken as they are" in capsys.readouterr().out
    assert [number_of(frame) for frame in samples[0].videos[0]] == [0, 10, 20, 30]


def test_a_video_that_is_missing_is_not_called_ready(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=41, rate=10)
    status, _ = shard_of(tmp_path, [video_entry("v.mp4"), video_entry("gone.mp4")], "--time-interval", 1)
    assert status == 3
    assert "had frames already" not in capsys.readouterr().out


def test_no_extract_sets_a_video_without_frames_aside(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    status, samples = shard_of(tmp_path, [video_entry("v.mp4"), text_entry()], "--no-extract")
    assert (status, len(samples)) == (3, 1)
    assert [line["reason"] for line in set_aside(tmp_path / "wds")] == ["no-frames"]
    assert not (tmp_path / "v").exists()


def test_a_video_that_cannot_be_decoded_costs_its_samples_alone(tmp_path):
    write_clip(tmp_path / "good.mp4", frames=11, rate=10)
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    entries = [video_entry("bad.mp4"), video_entry("good.mp4"), video_entry("gone.mp4"), video_entry("bad.mp4", id=1)]
    status, samples = shard_of(tmp_path, entries)
    assert (status, len(samples)) == (3, 1)
    assert [line["reason"] for line in set_aside(tmp_path / "wds")] == [
        "unreadable-video",
        "missing-media",
        "unreadable-video",
    ]


@pytest.mark.parametrize("target", list(TARGETS))
def test_energon_reads_back_what_was_written_for_each_target(tmp_path, target):
    names = write_images(tmp_path, 4)
    video = write_frames(tmp_path, "v", 4)
    entries = [*(image_entry(name, id=name) for name in names), video_entry(video, id="v"), text_entry(id="t")]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--target", target, "--train-split", 2, "--max-samples-per-tar", 2) == 0
    found = {}
    for split in ("train", "val", "test"):
        for sample in load_split(tmp_path / "wds", split):
            images = sample.images if target == "crude" else sample.imgs
            pictures = [picture for pictures in [images, *sample.videos] for picture in pictures]
            numbers = [read_number((picture.permute(1, 2, 0) * 255).numpy()) for picture in pictures]
            found[sample.__key__.rsplit("-", 1)[-1]] = numbers
    assert found == {**{f"p{n}_jpg": [n] for n in range(4)}, "v": [0, 1, 2, 3], "t": []}


BAD = {
    "not-an-object": 7,
    "empty-entry": [],
    "unknown-format": {"text": "x"},
    "no-turns": {"conversations": []},
    "bad-turn": {"conversations": [{"from": "human"}]},
    "unknown-role": {"conversations": [{"from": "judge", "value": "x"}]},
    "bad-media-list": {"conversations": chat("<image>"), "images": 7},
    "missing-media": {"conversations": chat("<image>"), "images": ["gone.jpg"]},
    "outside-root": {"conversations": chat("<image>"), "images": ["../../etc/hosts"]},
    "unreadable-image": {"conversations": chat("<image>"), "images": ["bad.jpg"]},
    "tag-count": {"conversations": chat("<image><image>"), "images": ["p0.jpg"]},
    "tag-place": {"conversations": [*chat("q", "<image>")], "images": ["p0.jpg"]},
    "turn-order": {"conversations": chat()[:1]},
    "reserved-text": {"conversations": chat("<|im_end|>")},
    "image-too-small": {"conversations": chat("<image>"), "images": ["small.png"]},
    "image-aspect": {"conversations": chat("<image>"), "images": ["long.png"]},
    "audio-unsupported": {"conversations": chat("<audio>"), "audios": ["bad.jpg"]},
}


GOOD = [image_entry("p0.jpg"), image_entry("p1.jpg", "p2.jpg"), text_entry(), [text_entry(5), text_entry(6)]]


@pytest.fixture(scope="module")
def media_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("mixtures")
    write_images(root, 3)
    (root / "bad.jpg").write_bytes(b"no picture")
    write_image(root / "small.png", size=(10, 10))
    Image.new("RGB", (28 * 201, 28)).save(root / "long.png")
    return root


def test_the_bad_entries_cover_reasons_that_exist():
    assert set(BAD) <= set(REASONS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picked=st.lists(st.sampled_from([*BAD, 0, 1, 2, 3]), max_size=12), lines=st.booleans())
def test_every_mixture_of_good_and_bad_entries_is_accounted_for(media_root, capsys, picked, lines):
    entries = [BAD[one] if isinstance(one, str) else GOOD[one] for one in picked]
    assume(not (lines and len(entries) == 1 and isinstance(entries[0], list)))  # one line with a list is an array
    source = media_root / ("mixture.jsonl" if lines else "mixture.json")
    text = "".join(json.dumps(entry) + "\n" for entry in entries) if lines else json.dumps(entries)
    source.write_text(text)
    output = media_root / "mixed"
    shutil.rmtree(output, ignore_errors=True)
    capsys.readouterr()
    status = run_shard(media_root, "--json", source.name, "--output", output, "--max-samples-per-tar", 3)
    refused = [one for one in picked if isinstance(one, str)]
    written = sum(len(GOOD[one]) if isinstance(GOOD[one], list) else 1 for one in picked if isinstance(one, int))
    assert status == (1 if not written else 3 if refused else 0)
    aside = set_aside(output)
    assert [line["reason"] for line in aside] == refused
    assert [line["entry"] for line in aside] == [BAD[one] for one in refused]
    positions = [number for number, one in enumerate(picked) if isinstance(one, str)]
    names = [f"{source.name}:{n + 1}" if lines else f"{source.name}[{n}]" for n in positions]
    assert [line["origin"] for line in aside] == names
    assert all(line["origin"] in line["message"] for line in aside)
    assert len(stored(output)) == written
    assert not (output / ".mm2energon/shard").exists()
    out = capsys.readouterr().out
    if written:
        assert re.search(rf"^read +{written + len(refused)}$", out, re.M)
        assert re.search(rf"^written +{written}\b", out, re.M)
        assert re.search(rf"^set aside +{len(refused)}\b", out, re.M)


def test_a_picture_and_a_link_to_it_stay_in_one_split(tmp_path):
    names = write_images(tmp_path, 8)
    for name in names:
        (tmp_path / f"link_{name}").symlink_to(name)
    entries = [image_entry(name) for name in names] + [image_entry(f"link_{name}") for name in names]
    _, samples = shard_of(tmp_path, entries, "--train-split", 1, "--val-split", 1)
    splits = {}
    for sample in samples:
        splits.setdefault(sample.images[0], set()).add(sample.split)
    assert len(samples) == 16 and all(len(found) == 1 for found in splits.values())


def test_repeating_an_odd_frame_does_not_lead_above_the_most_that_were_asked(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=90, rate=10)
    _, samples = shard_of(tmp_path, [video_entry("v.mp4")], "--max-frames", 7, "--odd-frames", "repeat")
    assert [len(video) for video in samples[0].videos] == [6]


def test_what_is_of_one_recording_stays_in_one_split(tmp_path):
    entries = [text_entry(number, extra={"recording": f"talk{number % 5}.mp4"}) for number in range(40)]
    entries[7]["extra"], entries[8]["extra"] = {"recording": 3}, "said"  # somebody else's keys
    status, found = shard_of(tmp_path, entries, "--train-split", 1, "--val-split", 1)
    assert status == 0
    splits: dict[str, set[str]] = {}
    for one in found:
        splits.setdefault(json.dumps(one.text["extra"]), set()).add(one.split)
    assert {len(held) for held in splits.values()} == {1}
    assert len(splits) == 7
    assert {one.split for one in found} == {"train", "val"}
    assert cli.main(["verify", str(tmp_path / "wds"), "--skip-energon"]) == 0
    _, found = shard_of(tmp_path, entries, "--train-split", 1, "--val-split", 1, "--group-by", "none", "--restart")
    of_one = {one.split for one in found if one.text["extra"] == {"extra": {"recording": "talk0.mp4"}}}
    assert of_one == {"train", "val"}


@pytest.mark.parametrize("group_by", ["media", "id"])
def test_a_text_that_stands_there_twice_stays_in_one_split(tmp_path, group_by):
    entries = [text_entry(number % 20) for number in range(40)]
    status, found = shard_of(tmp_path, entries, "--train-split", 1, "--val-split", 1, "--group-by", group_by)
    assert status == 0
    texts = {
        split: {json.dumps(one.text["conversations"]) for one in found if one.split == split}
        for split in ("train", "val")
    }
    assert {split: len(held) for split, held in texts.items()} == {"train": 10, "val": 10}
    assert not texts["train"] & texts["val"]
    assert cli.main(["verify", str(tmp_path / "wds"), "--skip-energon"]) == 0
