"""The ledger: what we wrote is known again, what somebody changed is theirs."""

import hashlib
import json

import pytest
from mm2energon.pipeline import ledger
from mm2energon.pipeline.ledger import forget, made_by, note, noted, read_ledger, was_changed, write_output


def write(path, *entries, sources=()):
    with write_output(path, about=made_by("normalize", path, sources=sources)) as out:
        for entry in entries:
            out.write(entry)
    return path


def is_own_output(path):
    return noted(path) is not None


def test_what_was_written_is_ours_until_somebody_changes_it(tmp_path):
    path = write(tmp_path / "d.json", {"a": 1})
    assert json.loads(path.read_text()) == [{"a": 1}]
    assert is_own_output(path) and not was_changed(path)
    path.write_text("[]")
    assert not is_own_output(path) and was_changed(path)
    path.unlink()
    assert not is_own_output(path) and not was_changed(path)


def test_a_file_nobody_noted_is_not_ours(tmp_path):
    (tmp_path / "d.json").write_text("[]")
    assert not is_own_output(tmp_path / "d.json") and not was_changed(tmp_path / "d.json")


def test_an_output_without_entries_is_not_written_and_replaces_nothing(tmp_path):
    path = write(tmp_path / "d.json", {"a": 1})
    write(path)
    assert json.loads(path.read_text()) == [{"a": 1}] and is_own_output(path)
    assert sorted(found.name for found in tmp_path.iterdir()) == [".mm2energon", "d.json"]


def test_lines_are_written_for_a_jsonl(tmp_path):
    assert write(tmp_path / "d.jsonl", {"a": 1}, {"a": 2}).read_text() == '{"a":1}\n{"a":2}\n'


def test_an_error_while_writing_leaves_the_file_of_before(tmp_path):
    path = write(tmp_path / "d.json", {"a": 1})
    with pytest.raises(KeyError), write_output(path, about={}) as out:
        out.write({"a": 2})
        raise KeyError
    assert json.loads(path.read_text()) == [{"a": 1}] and is_own_output(path)


def test_a_stop_between_the_note_and_the_rename_leaves_a_file_that_is_known(tmp_path, monkeypatch):
    path = write(tmp_path / "d.json", {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", _stop_at("d.json"))
        with pytest.raises(OSError, match="stop"):
            write(path, {"a": 2})
    assert is_own_output(path) and not was_changed(path)
    write(path, {"a": 2})
    assert is_own_output(path)


def _stop_at(name):
    from pathlib import Path

    replace = Path.replace

    def stop(self, target):
        if Path(target).name == name:
            raise OSError("stop")
        return replace(self, target)

    return stop


def test_the_sources_of_an_output_are_noted_by_path_and_content_wherever_the_dataset_is_moved(tmp_path):
    inside, outside = tmp_path / "root/in.json", tmp_path / "out.json"
    (tmp_path / "root").mkdir()
    for source in (inside, outside):
        source.write_text("[]")
    path = write(tmp_path / "root/a.json", 1, sources=[inside, outside])
    empty = hashlib.sha256(b"[]").hexdigest()
    assert noted(path)["sources"] == {"../out.json": empty, "in.json": empty}
    assert made_by("frames", path, sources=[], root=tmp_path)["root"] == ".."


def test_a_line_that_is_forgotten_leaves_the_others_and_no_empty_folder(tmp_path):
    note(tmp_path, "a", 1)
    note(tmp_path, "b", 2)
    forget(tmp_path, "a")
    forget(tmp_path, "nowhere")
    assert read_ledger(tmp_path) == {"b": 2}
    forget(tmp_path, "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"d.json": 7}', b'{"d.json": {"bytes": 7}}'])
def test_a_ledger_that_cannot_be_read_knows_nothing(tmp_path, content):
    (tmp_path / ledger.STATE_FOLDER).mkdir()
    (tmp_path / ledger.STATE_FOLDER / "outputs.json").write_bytes(content)
    (tmp_path / "d.json").write_text("[]")
    assert not is_own_output(tmp_path / "d.json") and not was_changed(tmp_path / "d.json")
