"""The account: entries that are set aside keep their reason, and whatever can be kept of themselves."""

import contextlib
import json

import pytest
from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.account import open_account


def aside(folder):
    return [json.loads(line) for line in (folder / "set_aside.jsonl").read_text().splitlines()]


def test_an_entry_is_kept_with_its_origin_reason_and_message(tmp_path):
    with open_account(tmp_path / "d.json", command="normalize") as account:
        account.read = 2
        account.set_aside(Entry("a.json[1]", {"x": "ä\ud800"}), SampleError("a.json[1]: why", "no-turns"))
        account.written["train"] += 1
    line = {"origin": "a.json[1]", "reason": "no-turns", "message": "a.json[1]: why", "entry": {"x": "ä\ud800"}}
    assert aside(tmp_path) == [line]
    assert account.as_dict() == {
        "read": 2,
        "written": {"train": 1},
        "set_aside": {"no-turns": 1},
        "set_aside_file": str(tmp_path / "set_aside.jsonl"),
        "lost_behind": [],
    }


def test_a_message_is_one_line_whatever_it_quotes(tmp_path):
    with open_account(tmp_path / "d.json", command="normalize") as account:
        account.set_aside(Entry("a\n.json[1]", 1), SampleError("a\n.json[1]: \x1b[31m\u2028\ud800", "no-turns"))
    (line,) = aside(tmp_path)
    assert line["message"] == "a\\n.json[1]: \\x1b[31m\\u2028\\ud800"
    assert line["origin"] == "a\n.json[1]"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_an_entry_that_json_cannot_hold_is_noted_without_itself(tmp_path, value):
    with open_account(tmp_path / "d.json", command="normalize") as account:
        account.set_aside(Entry("a.json[0]", {"x": value}), SampleError("why", "broken-json"))
    (line,) = aside(tmp_path)
    assert line["origin"] == "a.json[0]" and line["entry"] in (None, {"x": None})


def run(output, *, sets_aside, sources=()):
    """A run that reads one entry for `output`; the file of its account."""
    with open_account(output, command="normalize", sources=sources) as account:
        if sets_aside:
            account.set_aside(Entry(output.name, 1), SampleError("why", "no-turns"))
    return account.path


def test_without_anything_set_aside_there_is_no_file_and_none_of_before(tmp_path):
    run(tmp_path / "d.json", sets_aside=True)
    assert (tmp_path / "set_aside.jsonl").exists()
    run(tmp_path / "d.json", sets_aside=False)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_that_sets_the_same_aside_leaves_the_file_as_it_is(tmp_path):
    before = run(tmp_path / "d.json", sets_aside=True).stat()
    assert run(tmp_path / "d.json", sets_aside=True).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("sets_aside", [True, False])
def test_a_set_aside_file_of_the_user_is_neither_replaced_nor_removed(tmp_path, sets_aside):
    own, other = tmp_path / "set_aside.jsonl", tmp_path / "set_aside.d.jsonl"
    own.write_text("mine\n")
    for _ in range(2):
        run(tmp_path / "d.json", sets_aside=sets_aside)
        assert own.read_text() == "mine\n" and other.exists() == sets_aside
        assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 1 + sets_aside
    run(tmp_path / "d.json", sets_aside=False)
    assert list(tmp_path.iterdir()) == [own]


def test_one_that_the_user_changed_is_the_users(tmp_path):
    path = run(tmp_path / "d.json", sets_aside=True)
    path.write_text("changed\n")
    assert run(tmp_path / "d.json", sets_aside=True).name == "set_aside.d.jsonl"
    assert path.read_text() == "changed\n"


def test_the_accounts_of_two_outputs_in_one_folder_do_not_meet(tmp_path):
    paths = [run(tmp_path / name, sets_aside=True) for name in ("a.json", "b.json", "a.json", "b.json")]
    assert [path.name for path in paths] == ["set_aside.jsonl", "set_aside.b.jsonl"] * 2
    assert [line["origin"] for line in aside(tmp_path)] == ["a.json"]
    run(tmp_path / "a.json", sets_aside=False)
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["set_aside.b.jsonl"]


def test_an_account_that_is_read_is_not_written_to(tmp_path):
    path = run(tmp_path / "d.json", sets_aside=True)
    before = path.read_text()
    assert run(tmp_path / "d.json", sets_aside=True, sources=[path]) != path
    assert path.read_text() == before


def test_the_account_of_a_folder_lies_in_it_and_stays_its_own_when_it_is_renamed(tmp_path):
    (tmp_path / "wds").mkdir()
    assert run(tmp_path / "wds", sets_aside=True) == tmp_path / "wds/set_aside.jsonl"
    (tmp_path / "wds").rename(tmp_path / "shards")
    run(tmp_path / "shards", sets_aside=False)
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_run_that_fails_leaves_the_file_of_before(tmp_path):
    before = run(tmp_path / "d.json", sets_aside=True).read_text()
    with pytest.raises(KeyError), open_account(tmp_path / "d.json", command="normalize") as account:
        account.set_aside(Entry("a", 1), SampleError("other", "no-turns"))
        raise KeyError
    assert (tmp_path / "set_aside.jsonl").read_text() == before and len(list(tmp_path.glob("*"))) == 2


def test_a_run_that_wrote_nothing_is_refused_with_the_commonest_reasons(tmp_path):
    with open_account(tmp_path / "d.json", command="normalize") as account:
        pass
    with pytest.raises(InputError, match="holds no entries"):
        account.require_written(tmp_path / "a.json")
    account.read = 3
    account.reasons.update(["tag-count", "tag-count", "no-turns"])
    with pytest.raises(InputError, match=r"none of its 3 entries.*tag-count 2, no-turns 1.*nothing was written$"):
        account.require_written(tmp_path / "a.json", earlier=tmp_path / "d.json")
    (tmp_path / "d.json").write_text("[]")
    with pytest.raises(InputError, match=r"nothing was written, d\.json is as it was before$"):
        account.require_written(tmp_path / "a.json", earlier=tmp_path / "d.json")


def test_runs_at_the_same_time_in_one_folder_have_accounts_of_their_own(tmp_path):
    """Both find set_aside.jsonl free when they begin, and each once removed, or replaced, what the other wrote."""
    for reason in ("no-turns", None):
        outputs = [tmp_path / f"{reason}{number}.json" for number in range(3)]
        with contextlib.ExitStack() as runs:
            accounts = [runs.enter_context(open_account(one, command="convert")) for one in outputs]
            for number, account in enumerate(accounts):
                account.read = 1
                if reason:
                    account.set_aside(Entry(f"{number}.json[0]", number), SampleError("why", reason))
                else:
                    account.written["entries"] = 1
        if reason:
            found = {json.loads(account.path.read_text())["origin"]: account.path for account in accounts}
            assert list(found) == [f"{number}.json[0]" for number in range(3)] and len(set(found.values())) == 3
    assert len(list(tmp_path.glob("set_aside*.jsonl"))) == 3
    assert not list(tmp_path.glob(".*.lock"))
