"""Shard: what goes in comes out, once, in its split, under its key, as its target wants it."""

import io
import json
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from media import read_number, write_clip, write_image
from mm2energon.errors import REASONS
from mm2energon.shards.energon import load_split
from mm2energon.targets import TARGETS
from PIL import Image

from pipeline.making import (
    chat,
    image_dataset,
    image_entry,
    run_shard,
    set_aside,
    stored,
    text_entry,
    video_entry,
    write_frames,
    write_images,
    write_json,
)


def number_of(data):
    return read_number(Image.open(io.BytesIO(data)))


def shard_of(root, entries, *options):
    """Exit status and samples of a dataset of these entries."""
    write_json(root / "dataset.json", entries)
    status = run_shard(root, *options)
    target = options[options.index("--target") + 1] if "--target" in options else "pai-v1"
    return status, stored(root / "wds", target)


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


def test_keys_are_unique_and_valid_whatever_the_ids_are(tmp_path):
    ids = [1, 1, "a.b", "a/b", "", "__x__", None, 1.5, ["l"], {"k": 1}, "ä", "x" * 300, "-", True]
    entries = [text_entry(number, id=name) for number, name in enumerate(ids)] + [text_entry(99)]
    status, samples = shard_of(tmp_path, entries)
    keys = [sample.key for sample in samples]
    assert status == 0 and len(set(keys)) == len(entries)
    assert all(re.fullmatch(r"[A-Za-z0-9-][A-Za-z0-9_-]*", key) for key in keys)
    kept = {sample.key[:8]: sample.text.get("id") for sample in samples}
    assert [kept[f"{number:08d}"] for number in range(len(ids))] == ids


def test_a_video_without_frames_is_extracted_on_the_way_at_two_frames_a_second(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=41, rate=10)
    status, samples = shard_of(tmp_path, [video_entry("v.mp4")])
    assert status == 0
    assert [number_of(frame) for frame in samples[0].videos[0]] == [0, 5, 10, 15, 20, 25, 30, 35]  # 40 is cut: odd
    assert samples[0].text["second_per_grid_ts"] == [1.0]
    assert "1 videos had no frames and were extracted" in capsys.readouterr().out


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


def test_frames_of_another_tool_keep_their_rate(tmp_path):
    video = write_frames(tmp_path, "v", 4, fps="4.0 ")
    _, samples = shard_of(tmp_path, [video_entry(video)])
    assert samples[0].text["second_per_grid_ts"] == [0.5]
    assert [number_of(frame) for frame in samples[0].videos[0]] == [0, 1, 2, 3]


def test_pais_own_seconds_are_half_of_what_the_model_means(tmp_path):
    video = write_frames(tmp_path, "v", 4, fps="4.0")
    _, samples = shard_of(tmp_path, [video_entry(video)], "--second-per-grid-ts", "pai")
    assert samples[0].text["second_per_grid_ts"] == [0.25]


def test_frames_without_a_rate_take_the_default_or_are_set_aside(tmp_path):
    video = write_frames(tmp_path, "v", 4, fps=None)
    status, _ = shard_of(tmp_path, [video_entry(video), text_entry()])
    assert (status, set_aside(tmp_path / "wds")[0]["reason"]) == (3, "unfinished-frames")
    status, samples = shard_of(tmp_path, [video_entry(video), text_entry()], "--restart", "--default-fps", 1)
    assert (status, sorted(sample.text["second_per_grid_ts"] for sample in samples)) == (0, [[], [2.0]])


def test_a_list_of_frames_is_a_video(tmp_path):
    write_images(tmp_path, 4)
    _, samples = shard_of(tmp_path, [video_entry(["p3.jpg", "p1.jpg", "p2.jpg", "p0.jpg"])])
    assert [number_of(frame) for frame in samples[0].videos[0]] == [3, 1, 2, 0]
    assert samples[0].text["second_per_grid_ts"] == [1.0]


def test_max_frames_are_spread_evenly_and_the_rate_follows(tmp_path):
    video = write_frames(tmp_path, "v", 9, fps="2.0")
    _, samples = shard_of(tmp_path, [video_entry(video)], "--max-frames", 4)
    assert [number_of(frame) for frame in samples[0].videos[0]] == [0, 3, 5, 8]
    assert samples[0].text["second_per_grid_ts"] == [pytest.approx(2 / (2.0 * 3 / 8))]


@pytest.mark.parametrize(
    ("target", "options", "kept"),
    [
        ("pai-v1", (), [0, 1, 2, 3]),
        ("pai-v1", ("--odd-frames", "keep"), [0, 1, 2, 3, 4]),
        ("pai-v1", ("--odd-frames", "repeat"), [0, 1, 2, 3, 4, 4]),
        ("bridge", (), [0, 1, 2, 3, 4]),
        ("bridge", ("--odd-frames", "cut"), [0, 1, 2, 3]),
    ],
)
def test_an_odd_last_frame_is_cut_where_the_reader_does_unless_told_otherwise(tmp_path, target, options, kept):
    video = write_frames(tmp_path, "v", 5)
    _, samples = shard_of(tmp_path, [video_entry(video)], "--target", target, *options)
    assert [number_of(frame) for frame in samples[0].videos[0]] == kept


def test_a_single_frame_is_doubled_where_asked_and_set_aside_otherwise(tmp_path):
    video = write_frames(tmp_path, "v", 1)
    status, _ = shard_of(tmp_path, [video_entry(video), text_entry()])
    assert (status, set_aside(tmp_path / "wds")[0]["reason"]) == (3, "too-few-frames")
    status, samples = shard_of(tmp_path, [video_entry(video), text_entry()], "--restart", "--double-single-frames")
    assert status == 0 and [0, 0] in [[number_of(f) for f in video] for sample in samples for video in sample.videos]


def test_small_images_are_enlarged_where_asked_and_set_aside_otherwise(tmp_path):
    write_image(tmp_path / "s.png", size=(20, 10))
    status, _ = shard_of(tmp_path, [image_entry("s.png"), text_entry()])
    assert (status, set_aside(tmp_path / "wds")[0]["reason"]) == (3, "image-too-small")
    status, samples = shard_of(tmp_path, [image_entry("s.png"), text_entry()], "--restart", "--enlarge-small-images")
    pictures = [Image.open(io.BytesIO(data)) for sample in samples for data in sample.images]
    assert status == 0 and [picture.size for picture in pictures] == [(56, 28)]


def test_missing_tags_are_put_in_where_asked_and_the_sample_set_aside_otherwise(tmp_path):
    entry = {"conversations": chat("What?"), "images": write_images(tmp_path, 2)}
    status, _ = shard_of(tmp_path, [entry, text_entry()])
    assert (status, set_aside(tmp_path / "wds")[0]["reason"]) == (3, "tag-count")
    status, samples = shard_of(tmp_path, [entry, text_entry()], "--restart", "--prepend-missing-tags")
    texts = [sample.text["conversations"][0]["value"] for sample in samples if sample.images]
    assert (status, texts) == (0, ["<image>\n<image>\nWhat?"])


@pytest.mark.parametrize(
    ("how", "status", "turns"),
    [
        ("keep", 1, []),
        ("fold", 0, ["Be short.\nWhat?", "That."]),
        ("drop", 0, ["What?", "That."]),
    ],
)
def test_a_system_turn_is_kept_folded_or_dropped(tmp_path, how, status, turns):
    entry = {"conversations": [{"from": "system", "value": "Be short."}, *chat("What?", "That.")]}
    found, samples = shard_of(tmp_path, [entry], "--system-turn", how)
    assert found == status
    assert [turn["value"] for sample in samples for turn in sample.text["conversations"]] == turns


def test_a_system_turn_is_kept_for_readers_that_train_on_it(tmp_path):
    entry = {"conversations": [{"from": "system", "value": "Be short."}, *chat()]}
    status, samples = shard_of(tmp_path, [entry], "--target", "pai-v2")
    assert (status, samples[0].text["conversations"][0]) == (0, {"role": "system", "content": "Be short."})


def test_max_images_sets_samples_with_more_aside(tmp_path):
    names = write_images(tmp_path, 3)
    status, samples = shard_of(tmp_path, [image_entry(*names), image_entry(names[0])], "--max-images", 2)
    assert (status, len(samples), set_aside(tmp_path / "wds")[0]["reason"]) == (3, 1, "too-many-images")


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


def test_a_val_split_is_never_empty_nor_train_at_nine_to_one(tmp_path):
    image_dataset(tmp_path, 12)
    assert run_shard(tmp_path) == 0
    splits = [sample.split for sample in stored(tmp_path / "wds")]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (11, 1, 0)


def test_two_groups_are_enough_for_train_and_val(tmp_path):
    names = write_images(tmp_path, 2)
    _, samples = shard_of(tmp_path, [image_entry(name, id=n) for name in names for n in range(6)])
    assert {sample.split for sample in samples} == {"train", "val"}


def test_no_split_of_zero_has_a_shard(tmp_path):
    image_dataset(tmp_path, 12)
    assert run_shard(tmp_path, "--train-split", 0, "--val-split", 0, "--test-split", 1) == 0
    assert {sample.split for sample in stored(tmp_path / "wds")} == {"test"}


def test_questions_about_one_medium_never_stand_in_two_splits(tmp_path):
    names = write_images(tmp_path, 6)
    spelled = ["{}", "./{}", "x/../{}", str(tmp_path) + "/{}"]
    (tmp_path / "x").mkdir()
    entries = [image_entry(spelled[n % 4].format(name), id=name) for n in range(8) for name in names]
    status, samples = shard_of(tmp_path, entries, "--train-split", 1, "--max-samples-per-tar", 3)
    splits = {name: {sample.split for sample in samples if sample.text["id"] == name} for name in names}
    assert status == 0 and all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val"}


def test_lists_of_frames_that_share_one_stand_in_one_split(tmp_path):
    write_images(tmp_path, 12)
    lists = [[f"p{3 * n}.jpg", f"p{3 * n + 1}.jpg"] for n in range(4)] + [
        [f"p{3 * n + 2}.jpg", f"p{3 * n + 1}.jpg"] for n in range(4)
    ]
    entries = [video_entry(frames, id=number % 4) for number, frames in enumerate(lists)]
    _, samples = shard_of(tmp_path, entries, "--train-split", 1)
    splits = [{sample.split for sample in samples if sample.text["id"] == number} for number in range(4)]
    assert all(len(found) == 1 for found in splits)


def test_samples_are_grouped_by_id_or_not_at_all_where_asked(tmp_path):
    names = write_images(tmp_path, 8)
    entries = [image_entry(name, id=number // 4) for number, name in enumerate(names)]
    _, samples = shard_of(tmp_path, entries, "--group-by", "id", "--train-split", 1)
    assert all(len({s.split for s in samples if s.text["id"] == one}) == 1 for one in (0, 1))
    _, samples = shard_of(tmp_path, [image_entry("p0.jpg", id=n) for n in range(8)], "--group-by", "none", "--restart")
    assert {sample.split for sample in samples} == {"train", "val"}


def test_no_shard_has_more_samples_than_asked(tmp_path):
    image_dataset(tmp_path, 12)
    run_shard(tmp_path, "--max-samples-per-tar", 5)
    sizes = {}
    for sample in stored(tmp_path / "wds"):
        sizes[sample.shard] = sizes.get(sample.shard, 0) + 1
    assert sizes == {
        "train-shard-000000.tar": 5,
        "train-shard-000001.tar": 5,
        "train-shard-000002.tar": 1,
        "val-shard-000000.tar": 1,
    }


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("most", [40_000, 100_000])
def test_no_shard_is_larger_than_asked(tmp_path, target, most):
    names = write_images(tmp_path, 10, size=(64, 48))
    for number in range(6):
        Image.effect_noise((90, 60), 60).save(tmp_path / f"n{number}.bmp")
    videos = [write_frames(tmp_path, f"v{number}", 10) for number in range(2)]
    entries = [image_entry(name) for name in names] + [image_entry(f"n{number}.bmp") for number in range(6)]
    entries += [video_entry(video) for video in videos]
    status, samples = shard_of(tmp_path, entries, "--max-shard-size", most, "--target", target)
    sizes = [path.stat().st_size for path in (tmp_path / "wds").glob("*.tar")]
    assert status == 0 and len(samples) == 18 and max(sizes) <= most


def test_shuffling_depends_on_the_seed_alone(tmp_path):
    image_dataset(tmp_path, 12)
    orders = []
    for seed in (1, 1, 2):
        run_shard(tmp_path, "--shuffle", "--seed", seed, "--val-split", 0, "--restart")
        orders.append([sample.text["id"] for sample in stored(tmp_path / "wds")])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) and orders[0] != sorted(orders[0])


def test_another_seed_splits_otherwise(tmp_path):
    image_dataset(tmp_path, 12)
    chosen = set()
    for seed in range(4):
        run_shard(tmp_path, "--seed", seed, "--restart")
        chosen.add(next(sample.text["id"] for sample in stored(tmp_path / "wds") if sample.split == "val"))
    assert len(chosen) > 1


def test_bridge_is_told_of_videos_at_another_rate(tmp_path, capsys):
    slow, right = write_frames(tmp_path, "a", 4, fps="1.0"), write_frames(tmp_path, "b", 4)
    shard_of(tmp_path, [video_entry(slow), video_entry(right), text_entry()], "--target", "bridge")
    assert "note: 1 samples hold videos at another rate than 2 fps" in capsys.readouterr().out
    shard_of(tmp_path, [video_entry(right), text_entry()], "--target", "bridge", "--restart")
    assert "note:" not in capsys.readouterr().out


def test_what_another_reader_of_the_same_bytes_would_lose_is_said(tmp_path, capsys):
    entry = {"conversations": [{"from": "system", "value": "Be short."}, *chat()]}
    video = write_frames(tmp_path, "v", 5)
    shard_of(tmp_path, [entry, text_entry(), video_entry(video)], "--target", "bridge")
    assert "pai-v1 reads the same shards, and would drop or cut 2 samples" in capsys.readouterr().out


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
    capsys.readouterr()
    status = run_shard(media_root, "--json", source.name, "--output", output, "--restart", "--max-samples-per-tar", 3)
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
    assert not (output / ".mm2energon").exists()
    out = capsys.readouterr().out
    if written:
        assert re.search(rf"^read +{written + len(refused)}$", out, re.M)
        assert re.search(rf"^written +{written}\b", out, re.M)
        assert re.search(rf"^set aside +{len(refused)}\b", out, re.M)
