"""Progress: what a person is told during a long step."""

import contextlib
import io
import sys

from mm2energon import progress
from mm2energon.progress import make_bar


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def lines_of(monkeypatch, capsys, *, total, steps):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    bar = make_bar(contextlib.ExitStack(), "videos", total)
    for seconds, count, also in steps:
        clock.now += seconds
        bar.update(count, **also)
    bar.close()
    return capsys.readouterr().err.splitlines()


def test_a_step_that_lasts_says_once_a_minute_how_far_it_is(monkeypatch, capsys):
    steps = [(30, 1, {}), (29, 1, {}), (2, 1, {}), (58, 1, {}), (3, 1, {})]
    lines = lines_of(monkeypatch, capsys, total=10, steps=steps)
    assert [line.split(",")[0] for line in lines] == ["videos: 3 of 10", "videos: 5 of 10"]


def test_a_line_says_how_fast_it_goes_and_how_long_it_will_take(monkeypatch, capsys):
    steps = [(60, 2, {"frames": 240, "MB": 30.0})]
    assert lines_of(monkeypatch, capsys, total=10, steps=steps) == [
        "videos: 2 of 10, 4.0 frames/s, 0.5 MB/s, 4 min left"
    ]
    steps = [(60, 1, {"frames": 6000, "MB": 60.0})]
    assert lines_of(monkeypatch, capsys, total=121, steps=steps) == [
        "videos: 1 of 121, 100 frames/s, 1.0 MB/s, 2 h 0 min left"
    ]


def test_a_step_of_unknown_length_says_what_it_can(monkeypatch, capsys):
    assert lines_of(monkeypatch, capsys, total=None, steps=[(60, 1200, {})]) == ["videos: 1200, 20/s"]


def test_on_a_terminal_there_is_a_bar_with_rates(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with contextlib.ExitStack() as bars:
        bar = make_bar(bars, "videos", 4)
        for _ in range(4):
            bar.update(1, frames=20)
        bar._bar.refresh()
        shown = terminal.getvalue()
    assert "4/4" in shown
    assert "frames/s" in shown


def test_what_a_bar_is_called_holds_nothing_that_a_terminal_would_obey(monkeypatch, capsys):
    for is_terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=is_terminal: answer)
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0)
        with contextlib.ExitStack() as bars:
            make_bar(bars, "split \x1b[31m\n", 2).update(1)
        said = capsys.readouterr().err
        assert "\\x1b[31m\\n" in said and "\x1b[31m" not in said
