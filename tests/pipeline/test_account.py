"""The account: entries that are set aside keep their reason, and whatever can be kept of themselves."""

import json

import pytest
from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.account import open_account


def aside(folder):
    return [json.loads(line) for line in (folder / "set_aside.jsonl").read_text().splitlines()]


def test_an_entry_is_kept_with_its_origin_reason_and_message(tmp_path):
    with open_account(tmp_path) as account:
        account.read = 2
        account.set_aside(Entry("a.json[1]", {"x": "ä\ud800"}), SampleError("a.json[1]: why", "no-turns"))
        account.written["train"] += 1
    line = {"origin": "a.json[1]", "reason": "no-turns", "message": "a.json[1]: why", "entry": {"x": "ä\ud800"}}
    assert aside(tmp_path) == [line]
    assert account.adds_up and account.as_dict() == {"read": 2, "written": {"train": 1}, "set_aside": {"no-turns": 1}}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_an_entry_that_json_cannot_hold_is_noted_without_itself(tmp_path, value):
    with open_account(tmp_path) as account:
        account.set_aside(Entry("a.json[0]", {"x": value}), SampleError("why", "broken-json"))
    (line,) = aside(tmp_path)
    assert line["origin"] == "a.json[0]" and line["entry"] in (None, {"x": None})


def test_without_anything_set_aside_there_is_no_file_and_none_of_before(tmp_path):
    (tmp_path / "set_aside.jsonl").write_text("{}\n")
    with open_account(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_the_file_of_before(tmp_path):
    (tmp_path / "set_aside.jsonl").write_text("{}\n")
    with pytest.raises(KeyError), open_account(tmp_path) as account:
        account.set_aside(Entry("a", 1), SampleError("why", "no-turns"))
        raise KeyError
    assert (tmp_path / "set_aside.jsonl").read_text() == "{}\n" and len(list(tmp_path.iterdir())) == 1


def test_a_run_that_wrote_nothing_is_refused_with_the_commonest_reasons(tmp_path):
    with open_account(tmp_path) as account:
        pass
    with pytest.raises(InputError, match="holds no entries"):
        account.require_written(tmp_path / "a.json")
    account.read = 3
    account.reasons.update(["tag-count", "tag-count", "no-turns"])
    with pytest.raises(InputError, match=r"none of its 3 entries.*tag-count 2, no-turns 1"):
        account.require_written(tmp_path / "a.json")
