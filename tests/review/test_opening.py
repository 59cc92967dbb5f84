"""Where what is written lies: beside the data, in plain files, and an index in a folder that can be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.review.appending import Appending
from mm2energon.review.review import open_review

CHAT = {"conversations": [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "b"}]}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data" / "d.json"
    path.parent.mkdir()
    path.write_text(json.dumps([CHAT, CHAT]))
    return path


@pytest.mark.parametrize("name", ["d.review.jsonl", "d.kept.jsonl"])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "link to a device", "pipe", "folder"])
def test_what_is_no_plain_file_beside_the_data_is_refused_at_once(data, tmp_path, name, kind):
    (tmp_path / "secret").write_text("the secret\n")
    place, targets = (
        data.with_name(name),
        {"link": "secret", "link to nothing": "none", "link to a device": "/dev/zero"},
    )
    if kind in targets:
        place.symlink_to(tmp_path / targets[kind])
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(InputError, match="a plain file was expected"):
        open_review(data)
    assert (tmp_path / "secret").read_text() == "the secret\n" and not (tmp_path / "none").exists()


def test_a_journal_that_becomes_a_pipe_takes_no_decision(data):
    with open_review(data) as review:
        os.mkfifo(review.journal_path)
        with pytest.raises(OSError, match="no plain file"):
            review.decide([0], "accept")
        with pytest.raises(OSError, match="no plain file"), Appending(review.journal_path):
            pass
        review.journal_path.unlink()
        assert review.decide([0], "accept") == 1


@pytest.mark.parametrize("name", [".", "review", "index", "file"])
def test_an_index_goes_through_no_link(data, tmp_path, name):
    with open_review(data):
        pass
    state, other = data.parent / ".mm2energon", tmp_path / "other"
    (index,) = (state / "review").iterdir()
    place = {".": state, "review": state / "review", "index": index, "file": index / "about.json"}[name]
    place.rename(other)
    place.symlink_to(other)
    before = _all(tmp_path)
    with open_review(data) as review:
        assert review.count == 2
        assert review.decide([1], "reject") == 1
    after = _all(tmp_path)
    assert after == {**before, data.with_name("d.review.jsonl"): after[data.with_name("d.review.jsonl")]}


def _all(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_where_no_file_can_grow_data_are_opened_all_the_same_and_a_decision_says_so(data):
    """In a process whose files end at 100 kB, as on a disk that is full."""
    data.with_name("d.review.jsonl").write_text(" " * 99_998 + "\n")
    script = (
        "import resource, sys; from pathlib import Path; from mm2energon.review.review import open_review\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "with open_review(Path(sys.argv[1])) as review:\n"
        "    print(review.count)\n"
        "    try: review.decide([0], 'accept')\n"
        "    except OSError as error: print(error.strerror)\n"
        "    print(review.item(0).status)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(data)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2", "File too large", "pending"]
    assert not list((data.parent / ".mm2energon").rglob("*.bin"))
