"""Retry: what was set aside is read again once it is mended, and stands in the output once."""

import json
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli

from pipeline.making import (
    chat,
    image_entry,
    run_shard,
    set_aside,
    stored,
    text_entry,
    video_entry,
    write_images,
    write_json,
)


def mend(path, change):
    """Change the entries of a set-aside file, as its owner does in an editor."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["entry"] = change(line["entry"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_entries_that_were_mended_join_the_others_once(tmp_path):
    good, bad, worse = chat("one"), {"conversations": chat("two"), "image": 5}, {"x": 1}
    source = write_json(tmp_path / "train.json", [{"conversations": good}, bad, worse])
    output = tmp_path / "out.json"
    assert run("normalize", "--input-file", source, "--output-file", output) == 3
    mend(tmp_path / "set_aside.jsonl", lambda entry: {**entry, "image": "a.jpg"} if "image" in entry else entry)
    again = ("normalize", "--retry", tmp_path / "set_aside.jsonl", "--output-file", output)
    assert run(*again) == 3
    expected = [{"conversations": good}, {"conversations": chat("two"), "images": ["a.jpg"]}]
    assert json.loads(output.read_text()) == expected
    left = list(tmp_path.glob("set_aside.*.jsonl"))
    assert [json.loads(line)["origin"] for path in left for line in path.read_text().splitlines()] == ["train.json[2]"]
    assert run(*again) == 3  # as a run that was killed at its very end does
    assert json.loads(output.read_text()) == expected


def test_an_entry_that_was_no_json_is_read_from_its_mended_text(tmp_path):
    (tmp_path / "train.jsonl").write_text(json.dumps({"conversations": chat("one")}) + '\n{"conversations": oops}\n')
    output = tmp_path / "out.json"
    assert run("normalize", "--input-file", tmp_path / "train.jsonl", "--output-file", output) == 3
    (line,) = set_aside(tmp_path)
    assert line["entry"] == '{"conversations": oops}'
    mend(tmp_path / "set_aside.jsonl", lambda text: text.replace("oops", json.dumps(chat("two"))))
    assert run("normalize", "--retry", tmp_path / "set_aside.jsonl", "--output-file", output) == 0
    assert [entry["conversations"] for entry in json.loads(output.read_text())] == [chat("one"), chat("two")]


def test_videos_that_came_later_are_extracted_and_their_entries_join(tmp_path):
    (tmp_path / "part").mkdir()
    write_json(tmp_path / "part/train.json", [video_entry("v.mp4"), text_entry()])
    frames = ("frames", "--dataset-root", tmp_path, "--time-interval", 1, "--workers", 1)
    assert run(*frames) == 3
    assert [line["reason"] for line in set_aside(tmp_path)] == ["missing-media"]
    write_clip(tmp_path / "part/v.mp4", frames=21, rate=10)
    assert run(*frames, "--retry", tmp_path / "set_aside.jsonl") == 0
    merged = json.loads((tmp_path / "dataset.json").read_text())
    assert [entry.get("videos") for entry in merged] == [None, ["part/v.mp4"]]
    assert len(list((tmp_path / "part/v").iterdir())) == 3
    assert not (tmp_path / "set_aside.jsonl").exists()


def test_what_comes_later_joins_from_the_same_file_once(tmp_path):
    write_json(tmp_path / "in.json", [text_entry(), *(video_entry(f"v{number}.mp4") for number in range(3))])
    frames = ("frames", "--dataset-root", tmp_path, "--time-interval", 1, "--workers", 1)
    assert run(*frames) == 3
    retry = (tmp_path / "set_aside.jsonl").rename(tmp_path / "missing.txt")
    merged = [None]
    assert run(*frames, "--retry", retry) == 1  # none is there yet
    for name, status in (("v1.mp4", 3), ("v0.mp4", 3), ("v2.mp4", 0)):
        write_clip(tmp_path / name, frames=11, rate=10)
        assert run(*frames, "--retry", retry) == status
        merged.append([name])
        assert [entry.get("videos") for entry in json.loads((tmp_path / "dataset.json").read_text())] == merged
    assert run(*frames, "--retry", retry) == 0
    assert len(json.loads((tmp_path / "dataset.json").read_text())) == 4


def test_entries_join_though_a_run_was_killed_after_it_noted_that_they_have(tmp_path, monkeypatch):
    write_json(tmp_path / "train.json", [text_entry(), {"conversations": chat("two"), "image": 5}])
    output, retry = tmp_path / "out.json", tmp_path / "set_aside.jsonl"
    assert run("normalize", "--input-file", tmp_path / "train.json", "--output-file", output) == 3
    mend(retry, lambda entry: {**entry, "image": "a.jpg"})
    again = ("normalize", "--retry", retry, "--output-file", output)
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", _killed(output))
        assert run(*again) == 130
    assert len(json.loads(output.read_text())) == 1
    assert run(*again) == 0
    assert len(json.loads(output.read_text())) == 2


def _killed(output):
    """`Path.replace` of a run that is told to stop where its output would get its name."""
    replace = Path.replace

    def stop(path, target):
        if Path(target) == output:
            raise KeyboardInterrupt
        return replace(path, target)

    return stop


def test_what_a_filter_set_aside_joins_the_others_with_what_it_gave_up(tmp_path):
    """The root of the run before is known; copies of pictures that it made stay."""
    root, output = tmp_path / "data", tmp_path / "data/kept/out.json"
    (root / "kept").mkdir(parents=True)
    write_images(root, 2, size=(1120, 1120))
    write_json(root / "in.json", [image_entry("p0.jpg"), text_entry(), image_entry("late.jpg")])
    fits = ("--model", "qwen2.5-vl", "--max-tokens", 900, "--fit")
    assert run("filter", root / "in.json", output, *fits) == 3
    first = json.loads(output.read_text())
    (root / "p1.jpg").rename(root / "late.jpg")
    retry = (root / "kept/set_aside.jsonl").rename(tmp_path / "again.jsonl")
    again = ("filter", "--retry", retry, output)
    assert run(*again, *fits[:4]) == 1  # too many, as it is
    assert run(*again, *fits) == 0
    *others, joined = json.loads(output.read_text())
    assert others == first and joined["images"][0].startswith("kept/out.pictures/")
    assert all((root / path).is_file() for entry in (*others, joined) for path in entry.get("images", []))
    assert run(*again, *fits) == 0  # as a run that was killed at its very end does
    assert json.loads(output.read_text()) == [*others, joined]
    assert run("filter", root / "in.json", output, *again[1:3], *fits) == 1  # one or the other


def test_shards_of_what_was_set_aside_are_a_dataset_of_their_own(tmp_path, capsys):
    write_images(tmp_path, 2)
    write_json(tmp_path / "dataset.json", [image_entry("p0.jpg"), image_entry("late.jpg")])
    assert run_shard(tmp_path) == 3
    (tmp_path / "p1.jpg").rename(tmp_path / "late.jpg")
    retry = tmp_path / "wds/set_aside.jsonl"
    assert run_shard(tmp_path, "--retry", retry) == 1
    assert "another folder was expected" in capsys.readouterr().err
    assert run_shard(tmp_path, "--retry", retry, "--output", tmp_path / "wds-2") == 0
    assert len(stored(tmp_path / "wds")) == len(stored(tmp_path / "wds-2")) == 1


@pytest.mark.parametrize("entry", [None, "text", json.dumps(text_entry()), [], {"x": "a\n\x1b[31m"}, "\ud800"])
def test_what_was_not_mended_is_set_aside_again_as_it_was(tmp_path, entry):
    """An entry that is a string is no text of an entry, though it may read like one."""
    source = write_json(tmp_path / "train.json", [text_entry(), entry])
    output = tmp_path / "out.json"
    assert run("normalize", "--input-file", source, "--output-file", output) == 3
    before = (tmp_path / "set_aside.jsonl").read_bytes()
    again = (tmp_path / "set_aside.jsonl").rename(tmp_path / "again.jsonl")
    assert run("normalize", "--retry", again, "--output-file", output) == 1
    assert (tmp_path / "set_aside.jsonl").read_bytes() == before
    assert json.loads(output.read_text()) == [text_entry()]


def test_where_an_array_is_broken_is_still_told_after_a_retry(tmp_path):
    (tmp_path / "train.json").write_text(f"[{json.dumps(text_entry())},\n{{oops")
    output = tmp_path / "out.json"
    assert run("normalize", "--input-file", tmp_path / "train.json", "--output-file", output) == 3
    (before,) = set_aside(tmp_path)
    assert "line 2, character " in before["message"]
    assert run("normalize", "--retry", tmp_path / "set_aside.jsonl", "--output-file", output) == 1
    assert [line for path in tmp_path.glob("set_aside*.jsonl") for line in map(json.loads, path.open())] == [before]


@pytest.mark.parametrize("content", ['{"conversations": []}\n', "[1]", '{"origin": "a"}\n', "oops\n"])
@pytest.mark.parametrize("command", ["normalize", "filter", "frames", "shard"])
def test_what_is_no_set_aside_file_is_refused_and_nothing_is_written(tmp_path, command, content, capsys):
    (tmp_path / "other.jsonl").write_text(content)
    options = {
        "normalize": ("--output-file", tmp_path / "out/d.json"),
        "filter": (tmp_path / "out/d.json", "--model", "qwen2-vl", "--max-tokens", 9),
        "frames": ("--dataset-root", tmp_path, "--output-json", "out/d.json", "--workers", 1),
        "shard": ("--dataset-root", tmp_path, "--output", tmp_path / "out"),
    }[command]
    assert run(command, "--retry", tmp_path / "other.jsonl", *options) == 1
    assert "is no line of a set-aside file" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("command", ["normalize", "frames", "shard"])
def test_a_file_that_is_not_there_is_named(tmp_path, command, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(command, "--retry", "none.jsonl") == 1
    assert "--retry none.jsonl: no such file" in capsys.readouterr().err


def test_an_output_of_somebody_else_is_joined_by_nothing(tmp_path, capsys):
    retry = tmp_path / "set_aside.jsonl"
    retry.write_text(json.dumps({"origin": "a[0]", "reason": "r", "message": "m", "entry": text_entry()}) + "\n")
    write_json(tmp_path / "dataset.json", [text_entry()])
    before = (tmp_path / "dataset.json").read_bytes()
    assert run("frames", "--dataset-root", tmp_path, "--retry", retry) == 1
    assert run("normalize", "--retry", retry, "--output-file", tmp_path / "dataset.json") == 1
    assert (tmp_path / "dataset.json").read_bytes() == before
