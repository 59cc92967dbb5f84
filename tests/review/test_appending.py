"""Lines appended by several processes: all of them whole, and nothing through a link."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mm2energon.review.appending import Appending


def test_lines_of_many_processes_are_all_there_and_none_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "a.review.jsonl"
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from mm2energon.review.appending import Appending
        for number in range(40):
            with Appending(Path(sys.argv[1])) as journal:
                journal.add(b'{"by": %s, "number": %d, "more": "%s"}\\n' % (sys.argv[2].encode(), number, b"x" * 5000))
        """
    )
    runs = [subprocess.Popen([sys.executable, "-c", script, str(path), str(by)]) for by in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((one["by"], one["number"]) for one in found) == [
        (by, number) for by in range(3) for number in range(40)
    ]


def test_a_link_in_the_place_of_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("precious\n")
    (tmp_path / "a.review.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError), Appending(tmp_path / "a.review.jsonl") as journal:
        journal.add(b"{}\n")
    assert (tmp_path / "other").read_text() == "precious\n"
