"""Repair: what the original script wrote loads in Energon as it should; every sample goes over; the old set stays."""

import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from mm2energon import cli
from mm2energon.errors import InputError
from mm2energon.pipeline import repair as repairing
from mm2energon.pipeline.doctor import examine
from mm2energon.pipeline.repair import RepairJob, repair
from mm2energon.pipeline.verify import verify
from mm2energon.targets import TARGETS
from PIL import Image

from pipeline import originals
from pipeline.making import chat, image_dataset, run_shard, stored, tree_bytes, write_json
from pipeline.test_doctor import Bomb, edit_yaml, rewrite, write_tar

LEFT = {"re-encoded", "colours-untold"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Eight samples in one shard, as the original script leaves them under Energon 5: train is empty."""
    root = tmp_path_factory.mktemp("made")
    entries = originals.write_sources(root, images=4, videos=2)
    more = [{**entry, "conversations": chat(f"<video>{entry['videos']}?", "Yes.")} for entry in entries[-2:]]
    write_json(root / "dataset.json", entries + more)
    originals.as_energon_5(originals.prepare(originals.convert(root)))
    return root


@pytest.fixture
def copy(made, tmp_path):
    """A copy of it, to break."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def mended(root, sources=False, **more):
    """Repair `root/wds` to `root/new`; what was done."""
    job = RepairJob(root / "wds", root / "new", sources=(root, root / "dataset.json") if sources else None, **more)
    return repair(job)


def codes(folder):
    return examine(folder).codes()


def samples(folder, target="pai-v1"):
    """Every sample by what was asked in it, read by tarfile and pickle."""
    return {sample.text["conversations"][0].get("value"): sample for sample in stored(folder, target)}


def unmended(folder):
    path = folder / "unmended.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_dataset_of_the_original_script_is_sound_afterwards(copy):
    done = mended(copy)
    assert dict(done.mended) == {"half-seconds": 4, "empty-train": 1, "no-info-json": 1, "no-index": 1, "no-uuid": 1}
    assert dict(done.unmended) == {"re-encoded": 20, "colours-untold": 8}
    found = verify(copy / "new")
    assert [str(fault) for fault in found.faults] == []
    assert found.by_energon == found.by_webdataset == dict(done.written) | {"test": 0}
    assert done.written["train"] > done.written["val"] > 0
    assert codes(copy / "new") == LEFT


def test_texts_pictures_and_frames_go_over_as_they_were_and_seconds_are_doubled(copy):
    before = samples(copy / "wds")
    mended(copy)
    after = samples(copy / "new")
    assert set(after) == set(before) and len(after) == 8
    for question, sample in before.items():
        now = after[question]
        assert (now.key, now.images, now.videos) == (sample.key, sample.images, sample.videos)
        assert now.text["conversations"] == sample.text["conversations"]
        assert now.text["second_per_grid_ts"] == [1.0] * len(sample.videos)


def test_samples_of_one_video_stay_in_one_split(copy):
    mended(copy, ratios={"train": 1, "val": 1, "test": 1})
    split_of = {sample.videos[0][0]: set() for sample in stored(copy / "new") if sample.videos}
    for sample in stored(copy / "new"):
        if sample.videos:
            split_of[sample.videos[0][0]].add(sample.split)
    assert len(split_of) == 2 and all(len(splits) == 1 for splits in split_of.values())


def test_with_the_sources_their_files_stand_in_the_shards(copy):
    done = mended(copy, sources=True)
    assert done.unmended == {} and done.mended["colours-swapped"] == 8 and done.mended["re-encoded"] == 20
    assert codes(copy / "new") == set()
    assert [str(fault) for fault in verify(copy / "new", energon=False).faults] == []
    after = samples(copy / "new")
    for number in range(4):
        assert after[f"<image>What is {number}?"].images == [(copy / f"pictures/{number}.png").read_bytes()]
    frames = [path.read_bytes() for path in sorted((copy / "clips/1").iterdir())]
    assert after["<video>What happens in 1?"].videos == [frames[:4]]


def test_colours_are_those_of_the_source_afterwards(copy):
    red = Image.new("RGB", (64, 64), (250, 10, 10))
    red.save(copy / "pictures/0.png")
    shutil.rmtree(copy / "wds")
    originals.prepare(originals.convert(copy))

    def colour(folder):
        picture = Image.open(io.BytesIO(samples(folder)["<image>What is 0?"].images[0]))
        return picture.convert("RGB").getpixel((30, 30))

    assert colour(copy / "wds")[2] > 200  # the fault is there
    mended(copy, sources=True)
    assert colour(copy / "new") == (250, 10, 10)


def test_samples_whose_source_is_gone_stay_as_they_are_and_are_named(copy):
    before = samples(copy / "wds")
    (copy / "pictures/2.png").unlink()
    originals.write_colours(copy / "pictures/3.png", 77)
    done = mended(copy, sources=True)
    assert done.mended["colours-swapped"] == 6 and done.unmended["colours-untold"] == 2
    assert [(line["was"], line["key"], line["reason"]) for line in unmended(copy / "new")] == [
        ("pretrain-0.tar/2", "2", "colours-untold"),
        ("pretrain-0.tar/3", "3", "colours-untold"),
    ]
    after = samples(copy / "new")
    for number in (2, 3):
        assert after[f"<image>What is {number}?"].images == before[f"<image>What is {number}?"].images
    assert codes(copy / "new") == LEFT


def test_the_rate_comes_from_the_source_where_there_is_one(copy):
    (copy / "clips/0.json").write_text('{"fps": "0.5"}')
    mended(copy, sources=True)
    assert samples(copy / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [4.0]


def test_seconds_that_are_right_already_can_be_kept(copy):
    mended(copy, keep_seconds=True)
    assert samples(copy / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [0.5]
    assert codes(copy / "new") == LEFT


def with_another_user(copy):
    """The same samples, in a tar without the marks of webdataset's writer."""
    tar = copy / "wds/pretrain-0.tar"
    with tarfile.open(tar) as before:
        members = [(member.name, before.extractfile(member).read()) for member in before]
    write_tar(tar, members, user="somebody")


def test_what_another_tool_wrote_keeps_its_seconds(copy):
    with_another_user(copy)
    done = mended(copy)
    assert "half-seconds" not in done.mended and "colours-untold" not in done.unmended
    assert samples(copy / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [0.5]
    assert codes(copy / "new") == set()
    assert any("second_per_grid_ts" in note for note in examine(copy / "new").notes)


def test_what_another_tool_wrote_is_mended_by_its_sources(copy):
    with_another_user(copy)
    done = mended(copy, sources=True)
    assert (done.mended["half-seconds"], done.mended["colours-swapped"]) == (4, 8)
    assert samples(copy / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [1.0]


def test_one_sample_of_another_tool_changes_nothing_for_the_others(copy):
    png = (copy / "pictures/0.png").read_bytes()
    rewrite(copy / "wds/pretrain-0.tar", lambda n, data: (n, pickle.dumps([png]) if n == "0.jpgs" else data))
    done = mended(copy)
    assert (done.mended["half-seconds"], done.unmended["colours-untold"], done.unmended["re-encoded"]) == (4, 7, 19)
    assert codes(copy / "new") == LEFT


def test_seconds_of_one_over_fps_that_were_asked_for_are_mended_only_by_sources(tmp_path):
    originals.write_sources(tmp_path)
    assert run_shard(tmp_path, "--second-per-grid-ts", "pai", "--no-extract") == 0
    (tmp_path / "wds/.nv-meta/index.uuid").unlink()
    mended(tmp_path)
    assert samples(tmp_path / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [0.5]
    assert codes(tmp_path / "new") == set()
    shutil.rmtree(tmp_path / "new")
    mended(tmp_path, sources=True)
    assert samples(tmp_path / "new")["<video>What happens in 0?"].text["second_per_grid_ts"] == [1.0]


def test_a_dataset_of_which_no_sample_is_whole_is_refused(copy):
    os.truncate(copy / "wds/pretrain-0.tar", 2000)
    with pytest.raises(InputError, match="no sample of it can be read"):
        mended(copy)
    assert not (copy / "new").exists()


def test_a_sound_split_stays_and_is_dealt_anew_when_asked(tmp_path):
    originals.write_sources(tmp_path, images=6, videos=0)
    originals.prepare(originals.convert(tmp_path, samples_in_a_shard=1), ratios=[("train", 4), ("val", 2), ("test", 0)])
    splits = {split: len(names) for split, names in examine(tmp_path / "wds").metadata.splits.items()}
    (tmp_path / "wds/.nv-meta/index.uuid").unlink()
    done = mended(tmp_path)
    assert done.splits == "as they were" and dict(done.written) == {"train": 4, "val": 2}
    assert splits == {"train": 4, "val": 2, "test": 0}
    kept = {sample.key: sample.split for sample in stored(tmp_path / "new")}
    listed = examine(tmp_path / "wds").metadata.splits
    assert all(f"pretrain-{key}.tar" in listed[split] for key, split in kept.items())
    shutil.rmtree(tmp_path / "new")
    assert dict(mended(tmp_path, ratios={"train": 1, "val": 1, "test": 0}).written) == {"train": 3, "val": 3}


def test_what_pai_s_head_wrote_is_written_as_it_reads(tmp_path):
    originals.write_sources(tmp_path)
    originals.prepare(originals.convert(tmp_path), target="pai-v2")
    done = mended(tmp_path)
    assert done.target is TARGETS["pai-v2"] and done.mended["other-turns"] == 6
    assert codes(tmp_path / "new") == LEFT
    assert [str(fault) for fault in verify(tmp_path / "new").faults] == []
    after = stored(tmp_path / "new", "pai-v2")
    assert sorted(len(sample.videos) for sample in after) == [0, 0, 0, 0, 1, 1]
    assert {turn["role"] for sample in after for turn in sample.text["conversations"]} == {"user", "assistant"}


def test_the_first_version_of_the_script_gets_its_seconds_from_the_sources(tmp_path):
    originals.write_sources(tmp_path)
    originals.prepare(originals.convert(tmp_path, with_seconds=False))
    done = mended(tmp_path)
    assert done.unmended["no-seconds"] == 2 and sum(done.written.values()) == 6
    shutil.rmtree(tmp_path / "new")
    done = mended(tmp_path, sources=True)
    assert done.mended["no-seconds"] == 2 and "no-seconds" not in done.unmended
    after = samples(tmp_path / "new")
    assert after["<video>What happens in 0?"].text["second_per_grid_ts"] == [1.0]


def test_keys_get_numbers_when_one_of_them_is_none(tmp_path):
    for number in range(2):
        originals.write_colours(tmp_path / f"{number}.png", number)
    ids = ["a.b", "twice", "twice", "x/y", "fine"]
    entries = [{"id": name, "conversations": chat(f"<image>{n}"), "images": ["0.png"]} for n, name in enumerate(ids)]
    write_json(tmp_path / "dataset.json", entries)
    originals.convert(tmp_path)
    done = mended(tmp_path, ratios={"train": 1, "val": 0, "test": 0})
    assert done.mended["dotted-key"] == done.mended["repeated-key"] == done.mended["bad-key"] == 1
    after = stored(tmp_path / "new")
    assert [sample.key for sample in after] == [
        "00000000-a_b",
        "00000001-twice",
        "00000002-twice",
        "00000003-x_y",
        "00000004-fine",
    ]
    assert [sample.text["id"] for sample in after] == ids
    assert [str(fault) for fault in verify(tmp_path / "new", energon=False).faults] == []


def test_a_hostile_pickle_goes_over_unopened_and_is_named(copy, tmp_path):
    bomb = pickle.dumps([Bomb(tmp_path / "trap")])
    rewrite(copy / "wds/pretrain-0.tar", lambda name, data: (name, bomb if name == "1.jpgs" else data))
    done = mended(copy)
    assert not (tmp_path / "trap").exists()
    assert done.unmended["unsafe-pickle"] == 1 and sum(done.written.values()) == 8
    line = next(line for line in unmended(copy / "new") if line["reason"] == "unsafe-pickle")
    assert (line["was"], line["key"]) == ("pretrain-0.tar/1", "1")
    for path in (copy / "new").glob("*.tar"):
        with tarfile.open(path) as tar:
            if "1.jpgs" in tar.getnames():
                assert tar.extractfile("1.jpgs").read() == bomb
                return
    pytest.fail("the sample is gone")


def test_what_the_reader_drops_goes_over_and_is_named(copy):
    text = json.dumps({"conversations": chat("no tag"), "second_per_grid_ts": []}).encode()
    rewrite(copy / "wds/pretrain-0.tar", lambda name, data: (name, text if name == "0.json" else data))
    done = mended(copy)
    assert done.unmended["lost-in-training"] == 1 and sum(done.written.values()) == 8
    assert any("tag-count" in line["message"] for line in unmended(copy / "new"))


def test_keys_of_turns_and_of_the_json_and_parts_that_mean_nothing_to_us_stay(copy):
    turns = [{**turn, "weight": 0.5} for turn in chat("<image>q")]
    text = json.dumps({"conversations": turns, "second_per_grid_ts": [], "source": "web"}).encode()
    members = [("0.jpgs", pickle.dumps([b""])), ("0.json", text), ("0.videos", pickle.dumps([])), ("0.Mask.PNG", b"m")]
    write_tar(copy / "wds/pretrain-0.tar", members)
    mended(copy)
    [sample] = stored(copy / "new")
    assert sample.text["conversations"] == turns and sample.text["source"] == "web"
    with tarfile.open(next((copy / "new").glob("*.tar"))) as tar:
        assert tar.extractfile("0.mask.png").read() == b"m"


def test_of_a_tar_that_was_cut_off_all_whole_samples_go_over(copy):
    tar = copy / "wds/pretrain-0.tar"
    with tarfile.open(tar) as members:
        last = next(member for member in members if member.name == "5.videos")
    os.truncate(tar, last.offset_data + 100)
    done = mended(copy)
    assert (sum(done.written.values()), dict(done.left_out)) == (5, {"broken-shard": 1})
    assert done.examination.samples == 6
    assert [line["was"] for line in unmended(copy / "new")] == ["pretrain-0.tar/5"]
    assert [str(fault) for fault in verify(copy / "new", energon=False).faults] == []


def test_a_train_split_that_is_lost_with_its_shard_is_dealt_anew(tmp_path):
    originals.write_sources(tmp_path, images=3, videos=0)
    originals.prepare(originals.convert(tmp_path, samples_in_a_shard=1), ratios=[("train", 1), ("val", 2), ("test", 0)])
    [train] = examine(tmp_path / "wds").metadata.splits["train"]
    os.truncate(tmp_path / "wds" / train, 3000)
    assert dict(mended(tmp_path).written) == {"train": 1, "val": 1}


def test_what_split_yaml_excludes_is_left_out_and_named(copy):
    edit_yaml(copy / "wds/.nv-meta/split.yaml", lambda content: content.update(exclude=["pretrain-0.tar/3"]))
    done = mended(copy)
    assert (sum(done.written.values()), dict(done.left_out)) == (7, {"excluded": 1})
    assert unmended(copy / "new")[0]["was"] == "pretrain-0.tar/3"


def test_shards_of_ours_that_lost_their_indexes_are_whole_again(tmp_path):
    root = image_dataset(tmp_path, 6)
    assert run_shard(root, "--max-samples-per-tar", 2, "--seed", 7) == 0
    before = stored(root / "wds")
    for path in [*(root / "wds").glob("*.idx"), root / "wds/.nv-meta/index.sqlite"]:
        path.unlink()
    mended(root, max_samples=2)
    assert [str(fault) for fault in verify(root / "new", energon=False).faults] == []
    assert codes(root / "new") == set()
    assert stored(root / "new") == before


def test_a_crude_dataset_keeps_its_samples_as_they_are(tmp_path):
    root = image_dataset(tmp_path, 4)
    assert run_shard(root, "--target", "crude") == 0
    (root / "wds/.nv-meta/index.uuid").unlink()
    tars = {path.name: path.read_bytes() for path in (root / "wds").glob("*.tar")}
    mended(root)
    assert {path.name: path.read_bytes() for path in (root / "new").glob("*.tar")} == tars
    assert [str(fault) for fault in verify(root / "new", energon=False).faults] == []


def test_nothing_is_written_where_nothing_is_wrong(tmp_path, capsys):
    root = image_dataset(tmp_path, 4)
    assert run_shard(root) == 0
    assert mended(root).nothing_to_mend and not (root / "new").exists()
    capsys.readouterr()
    assert cli.main(["repair", str(root / "wds"), "--output", str(root / "new")]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_nothing_is_written_where_nothing_can_be_mended(copy, capsys):
    mended(copy)
    assert cli.main(["repair", str(copy / "new"), "--output", str(copy / "newer")]) == 3
    said = capsys.readouterr().out
    assert "re-encoded, colours-untold" in said and "--from-sources mends more" in said
    assert not (copy / "newer").exists()
    assert cli.main(["repair", str(copy / "new"), "--output", str(copy / "newer"), "--from-sources", str(copy)]) == 0
    assert codes(copy / "newer") == set()
    assert samples(copy / "newer")["<video>What happens in 0?"].text["second_per_grid_ts"] == [1.0]


def test_the_same_dataset_gives_the_same_bytes(copy):
    mended(copy, sources=True)
    first = tree_bytes(copy / "new")
    shutil.rmtree(copy / "new")
    mended(copy, sources=True)
    assert tree_bytes(copy / "new") == first


def test_the_old_dataset_is_only_read(copy):
    before = tree_bytes(copy / "wds")
    mended(copy, sources=True)
    assert tree_bytes(copy / "wds") == before


@pytest.mark.parametrize("place", ["wds", "wds/new", ".", "pictures"])
def test_an_output_that_is_in_the_way_is_refused(copy, place):
    before = tree_bytes(copy)
    with pytest.raises(InputError, match="--output"):
        repair(RepairJob(copy / "wds", copy / place))
    assert tree_bytes(copy) == before


def test_a_reader_that_is_not_known_has_to_be_named(copy):
    edit_yaml(copy / "wds/.nv-meta/dataset.yaml", lambda content: content.update(__module__="mine"))
    with pytest.raises(InputError, match="--target"):
        mended(copy)
    assert mended(copy, target=TARGETS["bridge"]).target is TARGETS["bridge"]
    assert [str(fault) for fault in verify(copy / "new", energon=False).faults] == []


def test_lists_of_pictures_are_not_turned_into_members(copy):
    with pytest.raises(InputError, match="mm2energon shard"):
        mended(copy, target=TARGETS["crude"])
    assert not (copy / "new").exists()


def test_too_little_room_is_said_before_anything_is_written(copy, monkeypatch):
    usage = shutil.disk_usage(copy)._replace(free=10)
    monkeypatch.setattr(repairing.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(InputError, match="make room"):
        mended(copy)
    assert not (copy / "new").exists()


def test_a_run_that_fails_leaves_nothing(copy, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repairing.DatasetWriter, "finish", full)
    with pytest.raises(OSError):
        mended(copy)
    assert sorted(path.name for path in copy.iterdir()) == ["clips", "dataset.json", "pictures", "wds"]


KILLED = """
import sys, time
from pathlib import Path
from mm2energon.pipeline import repair as repairing
root = Path(sys.argv[1])
plain = repairing.DatasetWriter.write
def slow(self, *given):
    plain(self, *given)
    print("one", flush=True)
    time.sleep(60)
repairing.DatasetWriter.write = slow
repairing.repair(repairing.RepairJob(root / "wds", root / "new"))
"""


def test_a_run_that_is_killed_leaves_no_output_and_the_next_one_completes_it(copy):
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(copy)], env=environment, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"one\n"
    with pytest.raises(InputError, match="another run"):
        mended(copy)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (copy / "new").exists()
    mended(copy)
    assert codes(copy / "new") == LEFT
    assert not list(copy.glob(".*"))


def test_the_command_says_what_was_mended_and_what_was_not(copy, capsys):
    assert cli.main(["repair", str(copy / "wds"), "--output", str(copy / "new")]) == 3
    said = capsys.readouterr().out
    assert "mended     half-seconds: 4 samples" in said and "LEFT       re-encoded: 20 pictures" in said
    assert "read              8\nwritten           8" in said
    options = ["--output", str(copy / "newer"), "--from-sources", str(copy), "--val-split", "1"]
    assert cli.main(["repair", str(copy / "wds"), *options]) == 0
    assert cli.main(["verify", str(copy / "newer"), "--against", str(copy)]) == 0
    assert cli.main(["doctor", str(copy / "newer"), "--from-sources", str(copy)]) == 0
