"""Progress: how far a long step is, how fast it goes and how long it takes; a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import Any

from mm2energon.terminal import shown

_SECONDS_BETWEEN_LINES = 60
_SECONDS_OF_A_MINUTE = 60


def make_bar(bars: ExitStack, what: str, total: int | None) -> Any:
    """A bar for `total` things (None: not known) called `what`; one that an error left open is closed by `bars`."""
    what = shown(what)
    if not sys.stderr.isatty():
        return _Lines(what, total)
    from tqdm import tqdm

    bar = _Bar(tqdm(total=total, desc=what, unit="", dynamic_ncols=True, leave=False))
    bars.callback(bar.close)
    return bar


class _Rates:
    """How much of each thing was done a second, since the first was asked for."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._done: dict[str, float] = {}

    def add(self, also: dict[str, float]) -> None:
        for what, count in also.items():
            self._done[what] = self._done.get(what, 0.0) + count

    @property
    def seconds(self) -> float:
        return max(time.monotonic() - self._begun, 1e-6)

    def __str__(self) -> str:
        return ", ".join(f"{_short(done / self.seconds)} {what}/s" for what, done in self._done.items())


class _Bar:
    """A bar of tqdm, with the rates of what is done on the way."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._rates = _Rates()

    def update(self, count: int, /, **also: float) -> None:
        if also:
            self._rates.add(also)
            self._bar.set_postfix_str(str(self._rates), refresh=False)
        self._bar.update(count)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """Says how far a step is once a minute; nothing of a step that is over sooner."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._rates = _Rates()
        self._said = time.monotonic()

    def update(self, count: int, /, **also: float) -> None:
        self._done += count
        self._rates.add(also)
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(self._line(), file=sys.stderr, flush=True)

    def close(self) -> None:
        pass

    def _line(self) -> str:
        of = "" if self._total is None else f" of {self._total}"
        rates = str(self._rates) or f"{_short(self._done / self._rates.seconds)}/s"
        parts = [f"{self._what}: {self._done}{of}", rates]
        if self._total is not None and self._done:
            parts.append(f"{_time(self._rates.seconds * (self._total - self._done) / self._done)} left")
        return ", ".join(parts)


def _short(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"  # noqa: PLR2004 - two digits are enough


def _time(seconds: float) -> str:
    minutes = round(seconds / _SECONDS_OF_A_MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
