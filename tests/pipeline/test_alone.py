"""One run at a time writes an output; the others are told, and a run that was killed keeps nobody out."""

import threading

import pytest
from mm2energon import cli
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.ledger import note, read_ledger

from pipeline.making import text_entry, write_json


@pytest.mark.parametrize("command", ["frames", "normalize"])
def test_the_second_run_for_an_output_refuses_and_the_first_goes_on(tmp_path, capsys, command):
    source = write_json(tmp_path / "train.json", [text_entry()])
    output = tmp_path / "out.json"
    arguments = {
        "frames": ["frames", "--dataset-root", tmp_path, "--output-json", "out.json", "--workers", 1],
        "normalize": ["normalize", "--input-file", source, "--output-file", output],
    }[command]
    with alone_on(output, option="--output"):
        before = sorted(tmp_path.iterdir())
        assert cli.main(list(map(str, arguments))) == 1
        assert "another run writes it now" in capsys.readouterr().err
        assert sorted(tmp_path.iterdir()) == before
    assert cli.main(list(map(str, arguments))) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mm2energon", "out.json", "report.json", "train.json"]


def test_the_lock_of_a_run_that_was_killed_keeps_nobody_out(tmp_path):
    (tmp_path / ".out.json.lock").write_text("")
    with alone_on(tmp_path / "out.json", option="--output"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["folder", "link", "link to nowhere"])
def test_what_stands_in_the_place_of_the_lock_is_named_and_nobody_follows_it(tmp_path, what):
    place = tmp_path / ".out.json.lock"
    if what == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / ("gone" if what == "link" else "gone/and/away"))
    with pytest.raises(OSError) as caught, alone_on(tmp_path / "out.json", option="--output"):
        pass
    assert caught.value.filename == str(place)
    assert list(tmp_path.iterdir()) == [place]


def test_runs_for_other_outputs_of_the_same_folder_keep_each_others_notes(tmp_path):
    def note_some(of):
        for number in range(20):
            note(tmp_path, f"{of}{number}", {"by": "normalize"})

    threads = [threading.Thread(target=note_some, args=(of,)) for of in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_ledger(tmp_path)) == 60
