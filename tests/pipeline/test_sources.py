"""Sources: which json below a root holds annotations."""

import json

import pytest
from mm2energon.errors import InputError
from mm2energon.pipeline.sources import find_annotations, only_annotation_file

from pipeline.making import text_entry, unprivileged, write_json


def test_annotations_are_told_from_other_json_by_what_they_hold(tmp_path):
    write_json(tmp_path / "b/array.json", [text_entry()])
    write_json(tmp_path / "a.json", text_entry())
    (tmp_path / "lines.jsonl").write_text(json.dumps(text_entry()) + "\n")
    write_json(tmp_path / "messages.json", [{"messages": [{"role": "user", "content": "q"}]}])
    write_json(tmp_path / "late.json", [{"x": 1}, text_entry()])
    write_json(tmp_path / "packed.json", [[text_entry(), text_entry()]])
    (tmp_path / "broken.json").write_text('{"conversations"')
    for name, content in (
        ("config", {"a": 1}),
        ("number", 7),
        ("list", [1, 2]),
        ("nothing", []),
        ("fps", {"fps": "2.0"}),
    ):
        write_json(tmp_path / f"{name}.json", content)
    write_json(tmp_path / ".hidden/x.json", [text_entry()])
    write_json(tmp_path / ".x.json", [text_entry()])
    (tmp_path / "text.txt").write_text(json.dumps([text_entry()]))
    (tmp_path / "shards/.nv-meta").mkdir(parents=True)
    write_json(tmp_path / "shards/x.json", [text_entry()])
    (tmp_path / "folder.json").mkdir()
    write_json(tmp_path / "UPPER.JSON", [text_entry()])
    (tmp_path / "LINES.JSONL").write_text(json.dumps(text_entry()) + "\n")
    found = find_annotations(tmp_path)
    assert found.annotations == [
        "LINES.JSONL",
        "UPPER.JSON",
        "a.json",
        "b/array.json",
        "broken.json",
        "late.json",
        "lines.jsonl",
        "messages.json",
        "packed.json",
    ]
    assert list(found.ignored) == ["config.json", "list.json", "nothing.json", "number.json"]
    assert set(found.ignored.values()) == {"holds no annotations"}


def test_json_that_cannot_be_read_is_passed_over_with_its_reason_and_stops_nothing(tmp_path):
    write_json(tmp_path / "a.json", [text_entry()])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/utf.json").write_text("[1]", encoding="utf-16")
    (tmp_path / "sub/nope.json").write_text("{nope")
    (tmp_path / "sub/cut.json").write_text('[{"x": 1}, {"y": ')
    (tmp_path / "sub/broken.jsonl").write_text('{"messages": [')
    found = find_annotations(tmp_path)
    assert found.annotations == ["a.json", "sub/broken.jsonl"]
    assert sorted(found.ignored) == ["sub/cut.json", "sub/nope.json", "sub/utf.json"]
    assert found.ignored["sub/utf.json"].startswith("UTF-16") and "not valid JSON" in found.ignored["sub/nope.json"]


def test_files_and_folders_that_are_not_ours_to_read_are_passed_over_with_their_reason(open_folder):
    write_json(open_folder / "a.json", [text_entry()])
    write_json(open_folder / "other.json", [text_entry()])
    write_json(open_folder / "locked/b.json", [text_entry()])
    (open_folder / "other.json").chmod(0)
    (open_folder / "locked").chmod(0)
    with unprivileged():
        found = find_annotations(open_folder)
    assert found.annotations == ["a.json"]
    assert found.ignored == dict.fromkeys(("locked", "other.json"), "cannot be read (Permission denied)")


def test_one_annotation_file_is_found_and_more_are_named(tmp_path):
    write_json(tmp_path / "config.json", {})
    with pytest.raises(InputError, match="none"):
        only_annotation_file(tmp_path)
    write_json(tmp_path / "a.json", [text_entry()])
    assert only_annotation_file(tmp_path) == tmp_path / "a.json"
    write_json(tmp_path / "b.json", [text_entry()])
    with pytest.raises(InputError, match="a.json, b.json"):
        only_annotation_file(tmp_path)
