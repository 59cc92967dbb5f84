"""Prepare: samples mended where asked, and set aside where their reader would lose them."""

import io

import pytest
from media import write_image
from PIL import Image

from pipeline.making import (
    chat,
    image_entry,
    number_of,
    set_aside,
    shard_of,
    text_entry,
    video_entry,
    write_frames,
    write_images,
)


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
