"""Frames of ours that were damaged since: no shard holds one, and the other samples are written."""

import pytest
from media import write_clip, write_image
from mm2energon import cli
from mm2energon.pipeline import media, videos
from mm2energon.video.layout import find_frames

from pipeline.making import chat, image_entry, run_shard, set_aside, stored, video_entry, write_json
from pipeline.test_frames import run_frames


@pytest.fixture
def root(tmp_path):
    """Two videos with frames of ours."""
    for number in range(2):
        write_clip(tmp_path / f"v{number}.mp4", frames=41, rate=10)
    entries = [{"video": f"v{number}.mp4", "conversations": chat("<image>\nq")} for number in range(2)]
    write_json(tmp_path / "a.json", entries)
    assert run_frames(tmp_path) == 0
    return tmp_path


def without_end(data):
    """As a power cut leaves a file: of its size, with nothing in its last block."""
    return data[:-600] + bytes(600)


def zeros(data):
    return bytes(len(data))


@pytest.mark.parametrize("check", ["header", "full"])
@pytest.mark.parametrize("damage", [without_end, zeros])
def test_a_frame_that_was_damaged_in_its_place_sets_its_sample_aside(root, damage, check):
    frame = root / "v0/000002.jpg"
    frame.write_bytes(damage(frame.read_bytes()))
    for _ in range(2):
        assert run_shard(root, "--check-media", check) == 3
        assert [(line["origin"], line["reason"]) for line in set_aside(root / "wds")] == [
            ("dataset.json[0]", "unreadable-image")
        ]
        assert "000002" in set_aside(root / "wds")[0]["message"]
    assert len(stored(root / "wds")) == 1 and all_frames_end(root)
    assert cli.main(["verify", str(root / "wds"), "--skip-energon"]) == 0


@pytest.mark.parametrize("kept", [0, 100])
@pytest.mark.parametrize("video", ["there", "gone"])
def test_a_frame_that_was_cut_off_is_in_no_shard(root, video, kept):
    frame = root / "v0/000002.jpg"
    frame.write_bytes(frame.read_bytes()[:kept])
    if video == "gone":
        (root / "v0.mp4").unlink()
    run_shard(root)
    assert stored(root / "wds") and all_frames_end(root)


def all_frames_end(root):
    """Whether every frame in the shards ends as a JPEG does."""
    frames = [frame for sample in stored(root / "wds") for video in sample.videos for frame in video]
    return all(frame.endswith(b"\xff\xd9") for frame in frames)


def test_a_picture_with_a_film_behind_its_end_is_whole(tmp_path):
    picture = write_image(tmp_path / "p.jpg", number=3)
    picture.write_bytes(picture.read_bytes() + bytes(200_000))
    write_json(tmp_path / "dataset.json", [image_entry("p.jpg")])
    assert run_shard(tmp_path) == 0 and stored(tmp_path / "wds")[0].images == [picture.read_bytes()]


def test_the_other_videos_of_an_entry_go_with_it(root):
    write_json(root / "dataset.json", [video_entry("v0.mp4", "v1.mp4"), video_entry("v1.mp4")])
    frame = root / "v0/000001.jpg"
    frame.write_bytes(zeros(frame.read_bytes()))
    assert run_shard(root) == 3
    assert [len(sample.videos) for sample in stored(root / "wds")] == [1]


def test_frames_are_looked_for_once_a_run_and_again_where_videos_were_extracted(root, monkeypatch):
    looked = []

    def count(video, **options):
        looked.append(video.name)
        return find_frames(video, **options)

    for module in (media, videos):
        monkeypatch.setattr(module, "find_frames", count)
    assert run_shard(root, "--output", root / "all-there") == 0
    assert sorted(looked) == ["v0.mp4", "v1.mp4"]
    looked.clear()
    (root / "v0/000002.jpg").unlink()
    assert run_shard(root, "--output", root / "one-lacks", "--workers", "1") == 0
    assert sorted(looked) == ["v0.mp4", "v0.mp4", "v1.mp4", "v1.mp4"]
    assert len(stored(root / "one-lacks")) == 2
