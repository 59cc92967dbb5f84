"""Frames: folders of annotations and videos become one dataset, and a second run does nothing twice."""

import json
import shutil

import pytest
from media import read_number, write_clip
from mm2energon import cli

from pipeline.making import chat, image_entry, set_aside, tree_bytes, tree_times, video_entry, write_images, write_json
from pipeline.test_archives import write_tar


def run_frames(root, *options):
    return cli.main(["frames", "--dataset-root", str(root), "--workers", "1", *map(str, options)])


def dataset(root, name="dataset.json"):
    return json.loads((root / name).read_text())


def llava(video, question="<image>\nWhat?", **more):
    return {"video": video, "conversations": chat(question), **more}


@pytest.fixture
def root(tmp_path):
    """Two split folders in the way of LLaVA-Video-178K: json beside an archive of videos in a folder."""
    for split, number in (("0_30_s", 0), ("30_60_s", 1)):
        clip = write_clip(tmp_path / "clip.mp4", frames=31, rate=10, first=100 * number)
        write_tar(tmp_path / split / "videos_1.tar.gz", [("source/v.mp4", clip.read_bytes())])
        clip.unlink()
        write_json(tmp_path / split / "qa.json", [llava("source/v.mp4", id=n) for n in range(2)])
    return tmp_path


def numbers(folder):
    return [read_number(path) for path in sorted(folder.glob("*.jpg"))]


def test_split_folders_are_unpacked_merged_and_extracted(root, capsys):
    assert run_frames(root) == 0
    entries = dataset(root)
    assert [entry["videos"] for entry in entries] == [["0_30_s/source/v.mp4"]] * 2 + [["30_60_s/source/v.mp4"]] * 2
    assert entries[0]["conversations"] == chat("<video>\nWhat?") and "video" not in entries[0]
    assert numbers(root / "0_30_s/source/v") == [0, 10, 20, 30]
    assert numbers(root / "30_60_s/source/v") == [100, 110, 120, 130]
    assert json.loads((root / "0_30_s/source/v.json").read_text())["fps"] == "1.0"
    out = capsys.readouterr().out
    assert "0_30_s/videos_1.tar.gz: 1 files unpacked" in out and "2   (8 frames, 0 videos failed;" in out


def test_a_second_run_changes_no_file(root, capsys):
    (root / "bad.mp4").write_bytes(b"no video")
    write_json(root / "a.json", [llava("bad.mp4"), 7])
    assert run_frames(root) == 3
    first = capsys.readouterr().out
    assert "complete already" not in first
    times, kept = tree_times(root), tree_bytes(root)
    assert run_frames(root) == 3
    assert (tree_times(root), tree_bytes(root)) == (times, kept)
    second = capsys.readouterr().out
    assert "  was complete already, nothing was written\n" in second and "unpacked before" in second
    assert second[second.index("read  ") :] == first[first.index("read  ") :]


@pytest.mark.parametrize(
    "change", ["frame", "sidecar", "video", "interval", "input", "dataset.json", "report.json", "unpacked video"]
)
def test_nothing_is_called_complete_that_had_to_be_written_anew(root, capsys, change):
    assert run_frames(root) == 0
    frames, options = root / "0_30_s/source/v", []
    if change == "frame":
        (frames / "000002.jpg").unlink()
    elif change == "sidecar":
        frames.with_suffix(".json").unlink()
    elif change == "video":
        write_clip(frames.with_suffix(".mp4"), frames=31, rate=10, first=200)
    elif change == "unpacked video":  # the archive is known: its video is not looked for again, its frames are as good
        frames.with_suffix(".mp4").unlink()
    elif change == "interval":
        options = ["--time-interval", 2]
    elif change == "input":
        write_json(root / "0_30_s/qa.json", [llava("source/v.mp4", id="another")])
    else:
        (root / change).unlink()
    capsys.readouterr()
    for turn in range(2):
        assert run_frames(root, *options) == 0
        is_complete = turn == 1 or change == "unpacked video"
        assert ("complete already" in capsys.readouterr().out) == is_complete


def test_another_interval_leaves_no_frame_of_before(root):
    run_frames(root, "--time-interval", 0.5)
    assert numbers(root / "0_30_s/source/v") == [0, 5, 10, 15, 20, 25, 30]
    run_frames(root, "--time-interval", 2)
    assert numbers(root / "0_30_s/source/v") == [0, 20]
    assert json.loads((root / "0_30_s/source/v.json").read_text())["fps"] == "0.5"


def test_two_workers_write_the_same_bytes_as_one(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "data"
    shutil.copytree(root, other)
    run_frames(root)
    run_frames(other, "--workers", 2)
    assert {n: b for n, b in tree_bytes(root).items() if ".mm2energon" not in n} == {
        n: b for n, b in tree_bytes(other).items() if ".mm2energon" not in n
    }


def test_a_dataset_that_was_moved_is_still_known_as_ours(root, tmp_path_factory):
    run_frames(root)
    moved = tmp_path_factory.mktemp("elsewhere") / "data"
    shutil.move(root, moved)
    assert run_frames(moved) == 0
    assert len(dataset(moved)) == 4 and not (moved / "dataset.original.json").exists()


def test_image_samples_keep_their_tags(tmp_path):
    write_images(tmp_path, 1)
    write_clip(tmp_path / "v.mp4", frames=21, rate=10)
    both = {"conversations": chat("<image><video>"), "images": ["p0.jpg"], "videos": ["v.mp4"]}
    untold = {"conversations": chat("<image>q"), "images": ["p0.jpg"], "videos": ["v.mp4"]}
    entries = [image_entry("p0.jpg"), untold, llava("v.mp4"), both, llava("v.mp4", "<video>\nnot <image>")]
    write_json(tmp_path / "a.json", entries)
    assert run_frames(tmp_path) == 0
    texts = [entry["conversations"][0]["value"] for entry in dataset(tmp_path)]
    assert texts == ["<image>What is this?", "<image>q", "<video>\nWhat?", "<image><video>", "<video>\nnot <image>"]


def test_another_video_token_is_replaced_and_an_empty_one_refused(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=21, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4", "[VID] and <image>?")])
    assert run_frames(tmp_path, "--video-token", "[VID]") == 0
    assert dataset(tmp_path)[0]["conversations"][0]["value"] == "<video> and <image>?"
    (tmp_path / "dataset.json").unlink()
    assert run_frames(tmp_path, "--video-token", "") == 1
    assert "--video-token" in capsys.readouterr().err


def test_the_token_is_replaced_where_the_user_asks_and_nowhere_else(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    asked = [{"role": "user", "content": "<image> q"}, {"role": "assistant", "content": "<image> in HTML, <video> too"}]
    write_json(tmp_path / "a.json", [{"video": "v.mp4", "conversations": asked}])
    assert run_frames(tmp_path) == 0
    assert [turn["content"] for turn in dataset(tmp_path)[0]["conversations"]] == ["<video> q", asked[1]["content"]]


def test_a_path_is_looked_for_beside_the_annotations_first_and_below_the_root_then(tmp_path):
    for name in ("a/here.mp4", "there.mp4", "a/both.mp4", "both.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_clip(tmp_path / name, frames=11, rate=10)
    write_json(tmp_path / "a/t.json", [llava("here.mp4"), llava("there.mp4"), llava("both.mp4")])
    assert run_frames(tmp_path) == 0
    assert [entry["videos"] for entry in dataset(tmp_path)] == [["a/here.mp4"], ["there.mp4"], ["a/both.mp4"]]


def test_entries_whose_video_fails_are_set_aside(tmp_path):
    write_clip(tmp_path / "good.mp4", frames=11, rate=10)
    (tmp_path / "bad.mp4").write_bytes(b"x" * 1000)
    entries = [llava("bad.mp4"), llava("good.mp4"), llava("gone.mp4"), llava("../x.mp4"), 7, llava("bad.mp4")]
    write_json(tmp_path / "a.json", entries)
    assert run_frames(tmp_path) == 3
    assert [entry["videos"] for entry in dataset(tmp_path)] == [["good.mp4"]]
    assert [(line["origin"], line["reason"]) for line in set_aside(tmp_path)] == [
        ("a.json[0]", "unreadable-video"),
        ("a.json[2]", "missing-media"),
        ("a.json[3]", "outside-root"),
        ("a.json[4]", "not-an-object"),
        ("a.json[5]", "unreadable-video"),
    ]
    assert run_frames(tmp_path, "--allow-set-aside") == 0


def test_its_own_files_are_never_taken_for_annotations(root, capsys):
    run_frames(root)
    cli.main(["shard", "--dataset-root", str(root), "--workers", "1"])
    (root / "set_aside.jsonl").write_text(json.dumps({"reason": "no-turns", "entry": video_entry("v.mp4")}))
    (root / "package.json").write_text('{"name": "x"}')
    (root / "gone.json").symlink_to(root / "nowhere.json")
    before = dataset(root)
    capsys.readouterr()
    assert run_frames(root) == 0
    assert dataset(root) == before
    out = capsys.readouterr().out
    assert (
        "from 0_30_s/qa.json, 30_60_s/qa.json" in out and "1 other json files hold no annotations: package.json" in out
    )
    assert run_frames(root, "--output-json", "second.json") == 0
    assert dataset(root, "second.json") == before


def test_only_bad_entries_write_no_dataset_but_their_reasons(tmp_path, capsys):
    write_json(tmp_path / "a.json", [llava("gone.mp4"), llava("gone2.mp4")])
    assert run_frames(tmp_path) == 1
    assert "none of its 2 entries" in (error := capsys.readouterr().err) and "nothing was written" in error
    assert not (tmp_path / "dataset.json").exists() and len(set_aside(tmp_path)) == 2


def test_an_account_beside_a_dataset_of_before_is_told(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4")])
    assert run_frames(tmp_path) == 0
    write_json(tmp_path / "a.json", [llava("gone.mp4")])
    assert run_frames(tmp_path, "--allow-set-aside") == 1
    assert "nothing was written, dataset.json is as it was before" in capsys.readouterr().err


def test_a_folder_without_annotations_and_a_missing_one_are_errors(tmp_path, capsys):
    assert run_frames(tmp_path) == 1
    assert "no annotation file" in capsys.readouterr().err
    assert run_frames(tmp_path / "gone") == 1
    assert "no such folder" in capsys.readouterr().err


def test_annotations_that_cannot_be_read_are_named_where_there_are_no_others(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps([llava("v.mp4")]), encoding="utf-16")
    assert run_frames(tmp_path) == 1
    assert "passed over: a.json (UTF-16" in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_broken_annotations_beside_sound_ones_are_told(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4")])
    write_json(tmp_path / "b.json", [llava("v.mp4")] * 13)
    (tmp_path / "b.json").write_text((tmp_path / "b.json").read_text()[:-1] + ', {"conversations": [ }, {}]')
    (tmp_path / "c.json").write_text('[{"conversations": [')
    assert run_frames(tmp_path) == 3
    assert [line["reason"] for line in set_aside(tmp_path)] == ["broken-json"] * 2
    out = capsys.readouterr().out
    assert "broken: b.json cannot be read behind entry 12;" in out and "broken: c.json cannot be read at all;" in out


def test_skip_extraction_unpacks_nothing(root):
    assert run_frames(root, "--skip-extraction") == 1
    assert not (root / "0_30_s/source").exists()
    assert {line["reason"] for line in set_aside(root)} == {"missing-media"}


def test_no_frames_merges_alone(root):
    assert run_frames(root, "--no-frames") == 0
    assert len(dataset(root)) == 4 and not (root / "0_30_s/source/v").exists()


def test_frames_that_came_without_their_video_are_as_good(tmp_path):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4")])
    run_frames(tmp_path)
    (tmp_path / "v.mp4").unlink()
    assert run_frames(tmp_path) == 0


@pytest.mark.parametrize("option", [("--time-interval", "0"), ("--time-interval", "nan"), ("--quality", "101")])
def test_impossible_options_are_errors_before_anything_is_written(root, capsys, option):
    before = tree_bytes(root)
    assert run_frames(root, *option) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert tree_bytes(root) == before


def test_videos_whose_entries_leave_the_ending_out_are_found(tmp_path):
    (tmp_path / "films").mkdir()
    write_clip(tmp_path / "films" / "v_1.mkv", frames=31, rate=10)
    asked = [{"q": "What?", "a": "It.", "video_id": f"v_{number}"} for number in (1, 2)]
    write_json(tmp_path / "films" / "VideoInstruct.json", asked)
    assert run_frames(tmp_path) == 3
    assert [entry["videos"] for entry in dataset(tmp_path)] == [["films/v_1.mkv"]]
    (line,) = set_aside(tmp_path)
    assert line["reason"] == "missing-media" and "films/v_2" in line["message"]
