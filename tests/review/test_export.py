"""Accepted samples become the files of trainers; what is not in them is told with its reason."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from media import write_clip, write_image
from mm2energon.errors import InputError
from mm2energon.formats import FORMATS
from mm2energon.pipeline.loop import silent
from mm2energon.review.export import export
from mm2energon.review.export_job import ExportCancelledError, ExportJob
from mm2energon.review.review import open_review
from pipeline.making import chat, write_json

from review.reviewing import HEADER, StandIn, edited, row, write_csv

LEGACY = ("all-legacy",)
SYSTEM = {"role": "system", "content": "You are a helpful assistant."}


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A clip of two seconds."""
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames=20, rate=10, size=(64, 48))


@pytest.fixture
def data(tmp_path, clip):
    """Four rows about two videos, of which two are accepted, one is rejected, and one waits."""
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, tmp_path / name)
    rows = [row(0, video="a.mp4"), row(1, video="b.mp4"), row(2, video="b.mp4"), row(3, video="a.mp4")]
    path = write_csv(tmp_path / "annotations.csv", *rows)
    return StandIn(path, {0: "accepted", 1: "rejected", 2: edited("And now?", "A 2, again.")})


def run(review: StandIn, *templates: str, **options: Any) -> Any:
    """Export to `out` beside the source; videos are looked for, and opened only where a test says so."""
    output = options.pop("output", review.path.parent / "out")
    told = options.pop("told", lambda _: None)
    is_cancelled = options.pop("is_cancelled", lambda: False)
    progress = options.pop("progress", silent)
    job = ExportJob(output, templates or LEGACY, **{"checks_videos": False, **options})
    return export(review, job, progress=progress, told=told, is_cancelled=is_cancelled)  # type: ignore[arg-type]


class Bar:
    """A bar that tells each step of what it is."""

    def __init__(self, what: str, told: Callable[[str], object]) -> None:
        self.what, self.told = what, told

    def update(self, count: int, /, **_: float) -> None:
        for _ in range(count):
            self.told(self.what)

    def close(self) -> None:
        pass


def entries_of(path: Path) -> list[Any]:
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def test_the_three_literal_templates_are_those_of_the_first_tool(data):
    run(data)
    out = data.path.parent / "out"
    parts = [
        {"type": "video", "video": {"video_path": "a.mp4", "fps": 1, "max_frames": 4}},
        {"type": "text", "text": "What is 0?"},
    ]
    answer = {"role": "assistant", "content": [{"type": "text", "text": "A 0."}]}
    expected = {"conversations": [SYSTEM, {"role": "user", "content": parts}, answer]}
    for name in ("videollama2", "qwen"):
        first = (out / f"model_train_{name}.jsonl").read_text().splitlines()[0]
        assert json.dumps(json.loads(first)) == json.dumps(expected)  # the order of the keys, too
    first = entries_of(out / "model_train_llava_next.jsonl")[0]
    prompt = "USER: What is 0?\n<|video|>\nASSISTANT:"
    assert list(first.items()) == [("prompt", prompt), ("answer", "A 0."), ("video_path", "a.mp4")]


def test_lines_for_videochat_have_the_two_keys_that_its_trainer_names(data):
    run(data, "videochat-finetune")
    first = entries_of(data.path.parent / "out" / "train_videochat-finetune.jsonl")[0]
    assert first == {"video_path": "a.mp4", "text": "USER: What is 0?\nASSISTANT: A 0."}


def test_an_edited_sample_is_exported_as_it_was_edited_and_a_rejected_one_is_not(data):
    run(data)
    entries = entries_of(data.path.parent / "out" / "model_train_llava_next.jsonl")
    assert [entry["answer"] for entry in entries] == ["A 0.", "A 2, again."]


def test_lists_and_lines_are_written_as_their_trainers_read_them(data):
    exported = run(data, "videollama2", "qwen-finetune", "internvl", "llama-factory")
    out = data.path.parent / "out"
    assert sorted(file.path.name for file in exported.files) == [
        "train_internvl.jsonl",
        "train_llama-factory.json",
        "train_qwen-finetune.json",
        "train_videollama2.json",
    ]
    assert all(len(entries_of(file.path)) == file.records == 2 for file in exported.files)
    assert all(file.path.stat().st_size == file.size_bytes for file in exported.files)
    entry = entries_of(out / "train_qwen-finetune.json")[0]
    assert entry["video"] == "a.mp4" and entry["conversations"][0]["value"] == "<video>\nWhat is 0?"
    assert json.loads((out / "dataset_info.json").read_text())["train_llama-factory"]
    assert json.loads((out / "train_internvl.meta.json").read_text())["train_internvl"]["length"] == 2


def test_all_writes_every_template_that_can_hold_a_sample_and_counts_what_the_others_cannot(data):
    exported = run(data, "all")
    assert exported.not_held == {"minicpm-v": {"cannot-hold": 2}}
    assert len(exported.files) == 22 and exported.records == 44
    assert exported.account["set_aside"] == {}


def test_columns_that_are_called_as_keys_of_trainers_change_no_entry(tmp_path):
    named = ["image", "images", "audio", "videos", "system", "messages", "conversations", "objects", "tools", ""]
    header = f"{HEADER},{','.join(named)}"
    review = StandIn(write_csv(tmp_path / "a.csv", f"{row(0)},{','.join(named)}", header=header), {0: "accepted"})
    exported = run(review, "all")
    for file in exported.files:
        (entry,) = entries_of(file.path)
        sample = FORMATS[file.template].load(entry, origin="")
        assert [turn.text for turn in sample.turns if turn.role != "system"] == ["<video>\nWhat is 0?", "A 0."]
        assert (sample.images, sample.audios, len(sample.videos)) == ((), (), 1)
        assert sum(turn.role == "system" for turn in sample.turns) == file.template.startswith(("legacy-v", "legacy-q"))
        assert entry.keys().isdisjoint({"image", "images", "audio", "system", "objects", "tools", ""})


def test_a_named_template_that_cannot_hold_a_sample_skips_it_alone(data):
    exported = run(data, "minicpm-v", "llava")
    assert [(one.origin, one.template, one.reason) for one in exported.skipped] == [
        ("annotations.csv:2", "minicpm-v", "cannot-hold"),
        ("annotations.csv:4", "minicpm-v", "cannot-hold"),
    ]
    assert [file.path.name for file in exported.files] == ["train_llava.json"]


def test_what_no_template_can_hold_is_set_aside(data):
    with pytest.raises(InputError, match=r"none of its 2 entries can be written \(cannot-hold 2\)"):
        run(data, "minicpm-v")
    lines = entries_of(data.path.parent / "out" / "set_aside.jsonl")
    assert [line["origin"] for line in lines] == ["annotations.csv:2", "annotations.csv:4"]
    assert lines[0]["entry"]["question"] == "What is 0?"
    assert "_backup_" not in " ".join(path.name for path in data.path.parent.iterdir())


@pytest.mark.parametrize(("status", "numbers"), [("rejected", [1]), ("pending", [3]), ("any", [0, 1, 2, 3])])
def test_another_status_is_exported_where_it_is_asked_for(data, status, numbers):
    exported = run(data, "llava", status=status)
    entries = entries_of(data.path.parent / "out" / "train_llava.json")
    assert [int(entry["id"]) for entry in entries] == numbers
    assert sum(exported.left_out.values()) == 4 - len(numbers)


def test_a_dataset_without_decisions_exports_nothing_and_says_how_to_decide(tmp_path):
    review = StandIn(write_csv(tmp_path / "a.csv", row(0), row(1)))
    with pytest.raises(InputError) as error:
        run(review)
    assert "no entry is accepted (pending 2)" in str(error.value)
    assert f"mm2energon studio {review.path}" in str(error.value) and "--status pending" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_what_is_set_aside_stands_there_as_it_is_in_the_source(tmp_path):
    whole = {"messages": chat("Which?", "This."), "x": 1}
    sound = {"conversations": chat("Which?", "This.")}
    (tmp_path / "a.json").write_text(json.dumps([sound, 5, {"images": 3, **whole}, sound])[:-10])
    write_csv(tmp_path / "b.csv", '0,v.mp4,"never closed,c,A', row(1, status="accepted"))
    for name, entries, lost in (
        ("a.json", [5, {"images": 3, **whole}], 1),
        ("b.csv", ['0,v.mp4,"never closed,c,A\n'], 0),
    ):
        with open_review(tmp_path / name) as review:
            exported = run(review, "sharegpt", status="any", output=tmp_path / name[0])
        aside = entries_of(tmp_path / name[0] / "set_aside.jsonl")
        assert [one["entry"] for one in aside[: len(entries)]] == entries
        assert len(exported.account["lost_behind"]) == lost == len(aside) - len(entries)


def test_a_status_that_somebody_wrote_into_the_csv_and_that_a_decision_turns_is_told(tmp_path):
    rows = [row(0, status="rejected"), row(1, status="accepted"), row(2), row(3, status="Accept")]
    review = StandIn(write_csv(tmp_path / "a.csv", *rows), {0: "accepted", 1: "accepted", 2: "accepted", 3: "pending"})
    assert any("2 rows said another decision" in note for note in run(review).advice)
    again = StandIn(review.path, review.decisions)
    assert run(again).advice == []


def test_words_of_the_status_column_that_are_no_decision_are_told(tmp_path):
    words = ["yes", "accepted", "yes", "Pending", "", "?"]
    review = StandIn(write_csv(tmp_path / "a.csv", *(row(i, status=word) for i, word in enumerate(words))))
    exported = run(review)
    assert exported.unknown_words == {"yes": 2, "?": 1} and exported.samples == 1
    (told,) = exported.advice
    assert "'yes' 2, '?' 1" in told and told in (tmp_path / "out/export_log.txt").read_text()
    with pytest.raises(InputError, match="'yes' 2, '[?]' 1: taken for pending; accepted or rejected"):
        run(review, status="disputed")


def test_rows_that_lack_a_field_and_videos_that_cannot_be_decoded_are_skipped_with_their_reasons(tmp_path, clip):
    shutil.copy(clip, tmp_path / "v.mp4")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:700])
    (tmp_path / "none.mp4").write_text("no video")
    rows = [
        row(0),
        "1,,Q?,c,A.,",
        "2,v.mp4, ,c,A.,",
        "3,v.mp4,Q?,c,,",
        row(4, video="gone.mp4"),
        row(5, video="cut.mp4"),
        row(6, video="none.mp4"),
        row(7, video="../v.mp4"),
        row(8, video="https://example.org/v.mp4"),
    ]
    path = write_csv(tmp_path / "a.csv", *rows)
    exported = run(StandIn(path, dict.fromkeys(range(9), "accepted")), checks_videos=True)
    reasons = [(one.origin, one.reason) for one in exported.skipped]
    assert reasons == [
        ("a.csv:3", "missing-field"),
        ("a.csv:4", "missing-field"),
        ("a.csv:5", "missing-field"),
        ("a.csv:6", "missing-media"),
        ("a.csv:7", "unreadable-video"),
        ("a.csv:8", "unreadable-video"),
        ("a.csv:9", "outside-root"),
        ("a.csv:10", "media-url"),
    ]
    assert all(one.message.startswith(f"{one.origin}: ") for one in exported.skipped)
    lines = entries_of(tmp_path / "out" / "set_aside.jsonl")
    assert [(line["origin"], line["reason"]) for line in lines] == reasons
    log = json.loads((tmp_path / "out" / "export_log.json").read_text())
    assert [(one["origin"], one["reason"]) for one in log["skipped"]] == reasons
    account = log["account"]
    assert account["read"] == 9 == sum(account["written"].values()) + sum(account["set_aside"].values())


def test_an_edit_mends_a_row_that_lacked_its_question(tmp_path, clip):
    shutil.copy(clip, tmp_path / "v.mp4")
    review = StandIn(write_csv(tmp_path / "a.csv", "0,v.mp4,,c,A.,"), {0: edited("What?", "A.")})
    assert run(review, checks_videos=True).samples == 1


def test_pictures_and_videos_without_their_ending_are_found_too(tmp_path, clip):
    shutil.copy(clip, tmp_path / "v_7.mp4")
    (tmp_path / "v_7").mkdir()  # its frames
    for name in ("p.jpg", "v_7/000001.jpg"):
        write_image(tmp_path / name, number=1)
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "p.jpg").read_bytes()[:200])
    entries = [
        {"q": "Q?", "a": "A.", "video_id": "v_7"},
        {"conversations": chat("<image>\nQ?"), "images": ["p.jpg"]},
        {"conversations": chat("<image>\nQ?"), "images": ["torn.jpg"]},
        {"conversations": chat("<video>\nQ?"), "videos": [["p.jpg", "p.jpg"]]},
        {"conversations": chat("Q?")},
        {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": " "}]},
        {"id": "bad"},
    ]
    review = StandIn(write_json(tmp_path / "a.json", entries), dict.fromkeys(range(7), "accepted"))
    exported = run(review, "sharegpt", checks_videos=True)
    assert [one.reason for one in exported.skipped] == ["unreadable-image", "no-answer", "unknown-format"]
    written = entries_of(tmp_path / "out" / "train_sharegpt.json")
    assert [entry.get("videos") for entry in written] == [["v_7.mp4"], None, [["p.jpg", "p.jpg"]], None]


def test_media_are_named_by_absolute_paths_where_that_is_asked_for(data):
    run(data, checks_videos=True, absolute_paths=True)
    entries = entries_of(data.path.parent / "out" / "model_train_llava_next.jsonl")
    assert [entry["video_path"] for entry in entries] == [str(data.root / "a.mp4"), str(data.root / "b.mp4")]


def test_each_distinct_video_is_opened_once(data, clip):
    seen: list[str] = []
    run(data, status="any", checks_videos=True, progress=lambda what, _: Bar(what, seen.append))
    assert seen.count("media") == 2 and seen.count("samples") == 4


def test_the_csv_is_backed_up_and_then_says_what_was_decided(data):
    before = data.path.read_bytes()
    exported = run(data)
    backup = exported.csv.backup
    assert re.fullmatch(r"annotations_backup_\d{8}_\d{6}\.csv", backup.name)
    assert backup.read_bytes() == before
    lines = data.path.read_text().splitlines()
    assert lines[3] == '2,b.mp4,And now?,things,"A 2, again.",accepted'
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["accepted", "rejected", "accepted", ""]
    assert lines[4] == before.decode().splitlines()[4]


def test_a_csv_that_somebody_else_writes_to_during_the_export_keeps_what_they_wrote(data):
    def theirs(step):
        if step == "samples":
            data.path.write_text(data.path.read_text().replace("What is 3?", "Who is it?"))

    with pytest.raises(InputError, match="has changed since it was opened"):
        run(data, progress=lambda what, _: Bar(what, theirs))
    assert "Who is it?" in data.path.read_text() and "And now?" not in data.path.read_text()
    assert not list((data.path.parent / "out").glob("*.jsonl"))
    assert run(StandIn(data.path, data.decisions)).csv.rows == 3


def test_a_csv_that_is_read_only_is_not_exchanged(data):
    data.path.chmod(0o444)
    before = data.path.read_bytes()
    with pytest.raises(InputError, match="is read-only, and 3 of its rows would change.*--no-update-csv"):
        run(data)
    assert data.path.read_bytes() == before and not list((data.path.parent / "out").glob("*.jsonl"))
    assert run(data, updates_csv=False).samples == 2


def test_the_csv_is_left_alone_where_that_is_asked_for(data):
    before = data.path.read_bytes()
    exported = run(data, updates_csv=False)
    assert data.path.read_bytes() == before and exported.csv is None
    assert sorted(path.name for path in data.path.parent.iterdir()) == ["a.mp4", "annotations.csv", "b.mp4", "out"]


def test_an_export_again_changes_no_byte_but_times_and_makes_no_second_copy(data):
    run(data, "all")
    out, folder = data.path.parent / "out", data.path.parent
    first = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    names = sorted(path.name for path in folder.iterdir())
    run(StandIn(data.path), "all")
    second = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    changed = {name for name in first if first[name] != second[name]}
    assert first.keys() == second.keys() and changed <= {"export_log.txt", "export_log.json"}
    assert sorted(path.name for path in folder.iterdir()) == names


def test_files_of_others_are_replaced_only_where_that_is_asked_for(data):
    theirs = data.path.parent / "out" / "model_train_qwen.jsonl"
    theirs.parent.mkdir()
    theirs.write_text("mine\n")
    before = data.path.read_bytes()
    with pytest.raises(InputError, match="was not written by mm2energon"):
        run(data)
    assert theirs.read_text() == "mine\n" and data.path.read_bytes() == before
    run(data, overwrite=True)
    assert len(entries_of(theirs)) == 2


def test_the_source_is_never_an_output(tmp_path):
    source = tmp_path / "train_llava.json"
    write_json(source, [{"conversations": chat("Q?")}])
    before = source.read_bytes()
    with pytest.raises(InputError, match="is the source itself"):
        run(StandIn(source, {0: "accepted"}), "llava", output=tmp_path, overwrite=True)
    assert source.read_bytes() == before


def test_what_an_earlier_export_wrote_for_other_splits_goes(data):
    out = data.path.parent / "out"
    run(data, "llava", "internvl", shares={"train": 1, "val": 1})
    assert {path.name for path in out.glob("val_*")} >= {"val_llava.json", "val_internvl.jsonl"}
    run(data, "llava")
    assert not (out / "val_llava.json").exists() and len(entries_of(out / "train_llava.json")) == 2
    assert (out / "val_internvl.jsonl").exists()  # that template was not exported again
    run(data, "internvl")
    assert not list(out.glob("val_*"))  # its meta file neither


def test_a_cancelled_export_leaves_everything_as_it_was(data):
    before = {path.name: path.read_bytes() for path in data.path.parent.iterdir()}
    for most in range(4):  # two entries are read, and then written
        calls = iter(range(100))
        with pytest.raises(ExportCancelledError):
            run(data, is_cancelled=lambda most=most, calls=calls: next(calls) >= most)
        left = {path.name: path.read_bytes() for path in data.path.parent.iterdir() if path.is_file()}
        assert left == before
        out = data.path.parent / "out"
        assert not out.exists() or not list(out.iterdir())


def test_a_name_that_a_terminal_would_obey_is_shown_as_text(tmp_path):
    review = StandIn(write_csv(tmp_path / "a.csv", row(0, video="\x1b[31mred\u202e.mp4")), {0: "accepted"})
    lines: list[str] = []
    run(review, told=lines.append)
    assert "- Current Video: \\x1b[31mred\\u202e.mp4" in lines


def test_a_category_that_a_reviewer_gave_is_exported_and_others_stay_as_they_are(tmp_path):
    own: list[Any] = ["a  b", ["x"], 7, None]
    entries = [{"id": place, "conversations": chat("Q?"), "category": value} for place, value in enumerate(own)]
    entries += [
        {"id": 4, "conversations": chat("Q?"), "extra": {"category": "old"}},
        {"id": 5, "conversations": chat("Q?")},
    ]
    source = write_json(tmp_path / "a.json", entries)
    with open_review(source) as review:
        review.wait()
        for number in range(4):
            review.decide([number], "edit", sample=review.item(number).sample)
        review.decide([4, 5], "accept", category="new")
        run(review, "sharegpt")
    written = entries_of(tmp_path / "out" / "train_sharegpt.json")
    assert [entry["category"] for entry in written[:4]] == own
    assert written[4]["extra"] == {"category": "new"} and written[5]["category"] == "new"
    assert "category" not in written[4]
