"""Media paths of every kind, from annotations to shards: what is not below a root is set aside, and never opened."""

import concurrent.futures  # noqa: F401 (which a process without rights may not be able to load)
import json
import os
import signal
from dataclasses import replace

import pytest
from media import write_clip, write_image
from mm2energon import cli
from mm2energon.pipeline.arrange import Arrangement
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.frames import build_frame_dataset
from mm2energon.pipeline.frames_job import FramesJob
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.shard import shard
from mm2energon.pipeline.shard_job import ShardJob
from mm2energon.targets import TARGETS
from mm2energon.video.extract import FrameOptions
from mm2energon.video.sampling import Sampling

from pipeline.making import (
    image_entry,
    number_of,
    run_shard,
    set_aside,
    stored,
    text_entry,
    tree_bytes,
    unprivileged,
    video_entry,
    write_images,
    write_json,
)


@pytest.fixture
def alarm():
    """An end to a test that waits for what never comes."""
    signal.alarm(120)
    yield
    signal.alarm(0)


def frames(root, *options):
    return cli.main(["frames", "--dataset-root", str(root), "--workers", "1", "--fps", "2", *map(str, options)])


def lay(tmp_path, *, below="further"):
    """A root with a picture, and a further one with a picture and a clip; entries that name them."""
    root, further = tmp_path / "root", tmp_path / below
    further.mkdir()
    write_images(root, 1)
    write_image(further / "p.png", number=77)
    write_clip(further / "v.mp4", frames=16, rate=10)
    entries = [
        text_entry(id="text"),
        image_entry("p0.jpg", id="inside"),
        image_entry(f"{further}/p.png", id="image"),
        video_entry(f"{further}/v.mp4", id="video"),
    ]
    write_json(root / "a.json", entries)
    return root, further


def numbers_of(output):
    return {
        sample.text["id"]: [
            number_of(data) for data in [*sample.images, *(f for video in sample.videos for f in video)]
        ]
        for sample in stored(output)
    }


ALL = {"text": [], "inside": [0], "image": [77], "video": [0, 5, 10, 15]}


def test_media_of_a_further_root_go_through_every_command_by_their_absolute_paths(tmp_path):
    root, further = lay(tmp_path)
    option = ("--allow-absolute-media", further)
    assert frames(root, *option) == 0
    assert (further / "v/000004.jpg").is_file() and (further / "v.json").is_file()
    merged = json.loads((root / "dataset.json").read_text())
    assert [entry.get("images", entry.get("videos")) for entry in merged][2:] == [
        [f"{further}/p.png"],
        [f"{further}/v.mp4"],
    ]
    assert run_shard(root, *option, "--val-split", 0) == 0
    assert numbers_of(root / "wds") == ALL
    assert all(str(tmp_path).encode() not in data for name, data in tree_bytes(root / "wds").items() if ".tar" in name)
    assert cli.main(["verify", str(root / "wds"), "--against", str(root), "--skip-energon", *map(str, option)]) == 0


def test_without_the_option_the_same_entries_are_set_aside_with_a_hint(tmp_path):
    root, further = lay(tmp_path)
    assert frames(root) == 3
    lines = set_aside(root)
    assert [line["reason"] for line in lines] == ["outside-root"] * 2
    assert all("--allow-absolute-media" in line["message"] for line in lines)
    assert not (further / "v").exists()
    assert run_shard(root, "--json", "a.json", "--val-split", 0) == 3
    assert numbers_of(root / "wds").keys() == {"text", "inside"}


def test_several_further_roots_are_open_at_once_and_each_must_be_a_folder(tmp_path):
    root, further = lay(tmp_path)
    (tmp_path / "third").mkdir()
    write_image(tmp_path / "third/q.png", number=9)
    entries = [image_entry(f"{further}/p.png", id="a"), image_entry(f"{tmp_path}/third/q.png", id="b")]
    write_json(root / "dataset.json", entries)
    options = ["--allow-absolute-media", further, "--allow-absolute-media", tmp_path / "third"]
    assert run_shard(root, *options, "--val-split", 0) == 0
    assert numbers_of(root / "wds") == {"a": [77], "b": [9]}
    assert run_shard(root, "--allow-absolute-media", tmp_path / "nowhere") == 1


def test_where_a_further_root_may_not_be_written_to_its_videos_go_into_packs_or_are_set_aside(open_folder):
    open_folder.chmod(0o777)
    root, further = lay(open_folder)
    (further / "w").mkdir()
    (further / "v.mp4").rename(further / "w/v.mp4")
    entries = json.loads((root / "a.json").read_text())
    entries[3]["videos"] = [f"{further}/w/v.mp4"]
    write_json(root / "a.json", entries)
    root.chmod(0o777)
    (further / "w").chmod(0o555)
    before = tree_bytes(further)
    # In this process, for one that nobody may start cannot load Python from everywhere.
    extraction = Extraction(FrameOptions(Sampling(interval_seconds=0.5)), 0, Limits())
    job = FramesJob(root, root / "dataset.json", "<image>", extraction, further=(further,))
    with unprivileged():
        assert build_frame_dataset(job).account["set_aside"] == {"no-permission": 1}
        (line,) = set_aside(root)
        assert "--extract" in line["message"] and line["entry"]["id"] == "video"
        assert build_frame_dataset(replace(job, extraction=None)).account["set_aside"] == {}
        arrangement = Arrangement({"train": 1, "val": 0, "test": 0}, max_samples=9)
        sharding = ShardJob(
            root, (root / "dataset.json",), root / "wds", TARGETS["pai-v1"], arrangement, Mending(), 1, extraction
        )
        assert shard(replace(sharding, packs_frames=True, further=(further,))).account["set_aside"] == {}
    assert numbers_of(root / "wds") == ALL
    assert tree_bytes(further) == before


def test_links_into_a_further_root_are_followed_and_links_out_of_both_are_not(tmp_path):
    root, further = lay(tmp_path)
    (tmp_path / "secret").mkdir()
    write_image(tmp_path / "secret/s.png", number=1)
    (root / "videos").symlink_to(further)
    (further / "out").symlink_to(tmp_path / "secret")
    entries = [
        image_entry("videos/p.png", id="by link"),
        image_entry("videos/out/s.png"),
        image_entry(f"{further}/out/s.png"),
        image_entry(f"{further}/../secret/s.png"),
        image_entry("../further/p.png"),
    ]
    write_json(root / "dataset.json", entries)
    assert run_shard(root, "--allow-absolute-media", further, "--val-split", 0) == 3
    assert numbers_of(root / "wds") == {"by link": [77]}
    assert [line["reason"] for line in set_aside(root / "wds")] == ["outside-root"] * 4


def oddities(tmp_path, suffix=".png"):
    """Path by path, what names no file below the root, and the reason for which its entry is set aside."""
    root = tmp_path / "root"
    (root / "folder.png").mkdir(parents=True)
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    (root / "outside").symlink_to(tmp_path)
    (tmp_path / "secret.png").write_bytes(b"")
    for path in [*root.glob("*.png"), tmp_path / "secret.png"]:
        path.rename(path.with_suffix(suffix))
    odd = {
        "../secret.png": "outside-root",
        "outside/secret.png": "outside-root",
        "/etc/passwd": "outside-root",
        "//etc/passwd": "outside-root",
        "/dev/stdin": "outside-root",
        "/proc/self/environ": "outside-root",
        "zero.png": "outside-root",
        "pipe.png": "missing-media",
        "folder.png": "missing-media",
        "gone.png": "missing-media",
        "": "bad-media-list",
        "\0": "missing-media",
        "n" * 10_000: "missing-media",
        "http://127.0.0.1:9/a.png": "media-url",
        "https://host/a.png": "media-url",
        "s3://bucket/a.png": "media-url",
        "gs://bucket/a.png": "media-url",
        "ftp://host/a.png": "media-url",
        "data:image/png;base64,AAAA": "media-url",
        "rtsp://host/a.mp4": "media-url",
    }
    return root, {path.replace(".png", suffix): reason for path, reason in odd.items()}


@pytest.mark.parametrize(("make", "suffix"), [(image_entry, ".png"), (video_entry, ".mp4")], ids=["images", "videos"])
def test_shard_sets_a_path_that_names_no_file_below_the_root_aside_with_its_reason(tmp_path, alarm, make, suffix):
    root, odd = oddities(tmp_path, suffix)
    write_json(root / "dataset.json", [text_entry(), *(make(path, id=path) for path in odd)])
    assert run_shard(root, "--val-split", 0) == 3
    assert {line["entry"]["id"]: line["reason"] for line in set_aside(root / "wds")} == odd


@pytest.mark.parametrize("folder", ["", "split"])
def test_frames_sets_videos_that_are_no_files_below_the_root_aside_with_their_reason(tmp_path, alarm, folder):
    root, odd = oddities(tmp_path, ".mp4")
    write_json(root / folder / "a.json", [text_entry(), *(video_entry(path, id=path) for path in odd)])
    assert frames(root) == 3
    assert {line["entry"]["id"]: line["reason"] for line in set_aside(root)} == odd


def test_a_list_of_frames_with_one_odd_path_is_set_aside(tmp_path, alarm):
    root, odd = oddities(tmp_path)
    write_images(root, 2)
    entries = [text_entry(), *(video_entry(["p0.jpg", path, "p1.jpg"], id=path) for path in odd)]
    write_json(root / "dataset.json", entries)
    assert run_shard(root, "--val-split", 0) == 3
    assert {line["entry"]["id"]: line["reason"] for line in set_aside(root / "wds")} == odd
