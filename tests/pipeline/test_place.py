"""The place of the merged dataset: no file of the user is touched before it is written, and no entry is read twice."""

import json
import shutil

import pytest
from media import write_clip
from mm2energon import cli

from pipeline.making import (
    image_entry,
    set_aside,
    text_entry,
    tree_bytes,
    tree_times,
    unprivileged,
    video_entry,
    write_images,
    write_json,
)
from pipeline.test_frames import dataset, llava, run_frames


@pytest.fixture
def root(tmp_path):
    """A dataset of one video, and annotations in one file."""
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4", id="a")])
    return tmp_path


def ids(root, name="dataset.json"):
    return [entry["id"] for entry in dataset(root, name)]


def test_a_dataset_json_of_the_user_is_kept_and_used(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    own = write_json(tmp_path / "dataset.json", [llava("v.mp4", id="mine")]).read_bytes()
    for _ in range(2):
        assert run_frames(tmp_path) == 0
        assert (tmp_path / "dataset.original.json").read_bytes() == own
        assert [entry["id"] for entry in dataset(tmp_path)] == ["mine"]
    assert "kept as dataset.original.json" in capsys.readouterr().out


def test_a_dataset_that_somebody_edited_is_not_lost(tmp_path, capsys):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "a.json", [llava("v.mp4")])
    run_frames(tmp_path)
    edited = write_json(tmp_path / "dataset.json", [video_entry("v.mp4", id="edited")]).read_bytes()
    assert run_frames(tmp_path) == 1
    assert "changed by somebody since" in capsys.readouterr().err
    assert (tmp_path / "dataset.json").read_bytes() == edited


def test_what_normalize_made_of_a_file_in_the_folder_is_not_read_beside_it(tmp_path, monkeypatch):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "raw.json", [llava("v.mp4")])
    monkeypatch.chdir(tmp_path)
    assert cli.main(["normalize", "--input-file", "raw.json", "--output-file", "sharegpt.json"]) == 0
    assert run_frames(tmp_path) == 0
    assert len(dataset(tmp_path)) == 1


def test_what_normalize_made_is_read_when_its_source_is_gone(tmp_path, monkeypatch):
    write_clip(tmp_path / "v.mp4", frames=11, rate=10)
    write_json(tmp_path / "raw.json", [llava("v.mp4")])
    monkeypatch.chdir(tmp_path)
    assert cli.main(["normalize"]) == 0
    (tmp_path / "raw.json").unlink()
    assert run_frames(tmp_path) == 0
    assert len(dataset(tmp_path)) == 1


@pytest.mark.parametrize(
    "name",
    [".", "", "..", "sub", "sub/..", "../up.json", "a.json/x.json", ".mm2energon/outputs.json", "set_aside.jsonl"],
)
def test_an_output_that_is_no_file_below_the_root_is_refused_before_anything_is_touched(root, capsys, name):
    (root / "sub").mkdir()
    before = tree_bytes(root)
    assert run_frames(root, "--output-json", name) == 1
    assert capsys.readouterr().err.startswith("error: --output-json ")
    assert tree_bytes(root) == before and (root / "sub").is_dir()


def test_an_output_outside_of_the_root_is_refused_however_it_is_written(root, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "link").symlink_to(elsewhere)
    for name in (elsewhere / "d.json", "link/d.json"):
        assert run_frames(root, "--output-json", name) == 1
    assert list(elsewhere.iterdir()) == []
    (elsewhere / "root").symlink_to(root)
    assert run_frames(elsewhere / "root", "--output-json", elsewhere / "root/new/d.json") == 0
    assert ids(root, "new/d.json") == ["a"]


@pytest.mark.parametrize("content", ['{"hello": 1}', "{nope", "[]"])
def test_a_run_that_finds_no_annotations_renames_nothing(tmp_path, capsys, content):
    (tmp_path / "dataset.json").write_text(content)
    assert run_frames(tmp_path) == 1
    assert "no annotation file" in capsys.readouterr().err
    assert tree_bytes(tmp_path) == {"dataset.json": content.encode()}


def test_an_input_of_which_nothing_can_be_written_keeps_its_name(tmp_path, capsys):
    own = write_json(tmp_path / "dataset.json", [llava("gone.mp4")]).read_bytes()
    assert run_frames(tmp_path) == 1
    assert (tmp_path / "dataset.json").read_bytes() == own
    assert [line["origin"] for line in set_aside(tmp_path)] == ["dataset.json[0]"]


@pytest.mark.parametrize("content", [[llava("v.mp4", id="a")], {"hello": 1}])
def test_a_dataset_json_that_may_be_an_output_or_an_input_is_asked_about(root, capsys, content):
    write_json(root / "dataset.json", content)
    before = tree_bytes(root)
    assert run_frames(root) == 1
    error = capsys.readouterr().err
    assert "an output or an input?" in error and "a.json" in error and "delete it" in error and error.count("\n") == 1
    assert tree_bytes(root) == before


def test_a_dataset_whose_ledger_was_lost_is_not_read_as_an_input(root, tmp_path_factory):
    assert run_frames(root) == 0
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(root, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".mm2energon"))
    assert run_frames(copy) == 1
    (copy / "dataset.json").unlink()
    assert run_frames(copy) == 0 and ids(copy) == ["a"]


def test_entries_stay_single_when_the_source_was_renamed_or_another_came(root):
    run_frames(root)
    (root / "a.json").rename(root / "b.json")
    assert run_frames(root) == 0 and ids(root) == ["a"]
    write_json(root / "c.json", [llava("v.mp4", id="c")])
    assert run_frames(root) == 0 and ids(root) == ["a", "c"]
    (root / "b.json").unlink()
    assert run_frames(root) == 0 and ids(root) == ["c"]
    assert not list(root.glob("*original*"))


def test_a_dataset_that_alone_is_left_is_the_input_and_written_in_place(root):
    run_frames(root)
    (root / "a.json").unlink()
    assert run_frames(root) == 0 and ids(root) == ["a"]
    times = tree_times(root)
    assert run_frames(root) == 0 and tree_times(root) == times
    assert not list(root.glob("*original*"))


def test_a_dataset_that_alone_is_left_loses_no_entry_when_it_is_written_in_place(root, capsys):
    write_clip(root / "w.mp4", frames=11, rate=10)
    write_json(root / "a.json", [llava("v.mp4", id="a"), llava("w.mp4", id="b")])
    run_frames(root)
    (root / "a.json").unlink()
    shutil.rmtree(root / "w")
    (root / "w.json").unlink()
    (root / "w.mp4").rename(root / "kept")
    assert run_frames(root) == 3 and ids(root) == ["a"]
    assert "kept as dataset.original.json" in capsys.readouterr().out
    (root / "kept").rename(root / "w.mp4")
    assert run_frames(root) == 0 and ids(root) == ["a", "b"]


def test_of_two_datasets_that_alone_are_left_the_one_that_is_written_is_read(root, capsys):
    run_frames(root)
    run_frames(root, "--output-json", "second.json")
    (root / "a.json").unlink()
    assert run_frames(root) == 0 and ids(root) == ["a"]
    assert run_frames(root, "--output-json", "third.json") == 1
    assert "dataset.json, second.json" in capsys.readouterr().err


def test_a_folder_that_was_a_dataset_of_its_own_is_read_once(tmp_path):
    sub = tmp_path / "sub"
    sub.mkdir()
    write_clip(sub / "v.mp4", frames=11, rate=10)
    write_json(sub / "a.json", [llava("v.mp4", id="a")])
    run_frames(sub)
    assert run_frames(tmp_path) == 0 and ids(tmp_path) == ["a"]
    (sub / "a.json").unlink()
    assert run_frames(tmp_path) == 0 and ids(tmp_path) == ["a"]


def test_what_normalize_made_is_not_read_beside_its_source_under_another_name(root, monkeypatch):
    monkeypatch.chdir(root)
    cli.main(["normalize", "--input-file", "a.json", "--output-file", "s.json"])
    (root / "a.json").rename(root / "b.json")
    assert run_frames(root) == 0 and ids(root) == ["a"]


def test_what_normalize_made_of_a_file_elsewhere_is_an_input_that_is_kept(root, tmp_path_factory, monkeypatch, capsys):
    raw = write_json(tmp_path_factory.mktemp("elsewhere") / "raw.json", [llava("v.mp4", id="raw")])
    monkeypatch.chdir(root)
    cli.main(["normalize", "--input-file", str(raw)])
    for _ in range(2):
        assert run_frames(root) == 0 and sorted(ids(root)) == ["a", "raw"]
    assert "the dataset.json that stood there is an input: kept as dataset.original.json" in capsys.readouterr().out


def test_an_output_where_the_fps_of_a_video_is_written_is_refused(root, capsys):
    (root / "v.mp4").rename(root / "dataset.mp4")
    write_json(root / "a.json", [llava("dataset.mp4")])
    before = tree_bytes(root)
    for name in ("dataset.json", "dataset.mp4.frames.json"):
        assert run_frames(root, "--output-json", name) == 1
        assert "choose another --output-json" in capsys.readouterr().err
    assert tree_bytes(root) == before
    assert run_frames(root, "--output-json", "merged.json") == 0


def test_a_video_whose_name_says_nothing_is_no_less_one(root, capsys):
    (root / "v.mp4").rename(root / "dataset.bin")
    write_json(root / "a.json", [llava("dataset.bin")])
    assert run_frames(root) == 1
    assert "dataset.bin" in capsys.readouterr().err and not (root / "dataset").exists()


def test_an_archive_of_the_name_of_the_dataset_is_no_video(root):
    (root / "dataset.zip").write_bytes(b"")
    assert run_frames(root) == 0


def test_the_set_aside_file_of_the_user_is_an_input_and_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = write_images(tmp_path, 1)
    (tmp_path / "set_aside.jsonl").write_text(
        "".join(json.dumps(e) + "\n" for e in (image_entry(*names, id=1), {"x": 1}))
    )
    before = (tmp_path / "set_aside.jsonl").read_bytes()
    assert cli.main(["normalize", "--input-file", "set_aside.jsonl"]) == 3
    assert run_frames(tmp_path, "--output-json", "merged.json") == 3 and ids(tmp_path, "merged.json") == [1]
    assert (tmp_path / "set_aside.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("set_aside.*.jsonl")) == [
        "set_aside.dataset.jsonl",
        "set_aside.merged.jsonl",
    ]


def test_one_command_leaves_the_account_of_another_alone(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    write_json(root / "a.json", [llava("v.mp4"), llava("gone.mp4")])
    assert run_frames(root) == 3
    kept = (root / "set_aside.jsonl").read_bytes()
    write_json(root / "b.json", [text_entry(), 7])
    assert cli.main(["normalize", "--input-file", "b.json", "--output-file", "n.json"]) == 3
    assert "see " in (out := capsys.readouterr().out) and "set_aside.n.jsonl" in out
    assert (root / "set_aside.jsonl").read_bytes() == kept


def test_a_folder_that_is_not_ours_to_write_to_is_named_and_not_our_temporary_file(open_folder, capsys):
    write_json(open_folder / "a.json", [text_entry()])
    open_folder.chmod(0o555)
    with unprivileged():
        assert run_frames(open_folder) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {open_folder.resolve()}: Permission denied; ") and error.count("\n") == 1
