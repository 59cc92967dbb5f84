"""Statistics of a review: how many entries by status, category, reviewer and day, and how long they are; plain values.

Lengths are those of the entries as their source has them. On a day all decisions count that were made, also one on the
same entry again; for a reviewer each entry counts once, as it stands now.
"""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.pages.bins import bins_of
from mm2energon.review.decisions import Decisions
from mm2energon.review.model import DOES, PENDING, STATUSES, Filter
from mm2energon.review.tables import NONE, Track
from mm2energon.review.views import State, counts, decided_by

#: Length -> the column that holds it.
_LENGTHS = {"question": "question_words", "answer": "answer_words"}
#: Letters of a date in the time of an event.
_DATE = 10


def statistics_of(state: State) -> dict[str, Any]:
    """All figures of a review."""
    by_status = {status: counts(state, Filter(status=(status,))) for status in STATUSES}
    every = counts(state, Filter())
    decisions = state.book.decisions
    return {
        "entries": state.entries.count,
        "is_indexed": state.entries.is_complete,
        "status": every["status"],
        "edited": int(state.book.standing.edited.sum()),
        "category": _turned(by_status, "category", every["category"]),
        "medium": _turned(by_status, "medium", every["medium"]),
        "warning": every["warning"],
        "reason": every["reason"],
        "reviewer": {name: _stands(decisions, track) for name, track in decisions.tracks.items()},
        "edited_by": {name: _edited(decisions, track) for name, track in decisions.tracks.items()},
        "assigned": {name: _share(state, name, share) for name, share in decisions.shares.items()},
        "days": _days(decisions),
        "words": {name: _lengths(state, column) for name, column in _LENGTHS.items()},
        "turns": _lengths(state, "turns"),
    }


def _turned(
    by_status: dict[str, dict[str, dict[str, int]]], facet: str, order: dict[str, int]
) -> dict[str, dict[str, int]]:
    """Value -> status -> entries, for the values of a facet."""
    found: dict[str, dict[str, int]] = {value: {} for value in order}
    for status, facets in by_status.items():
        for value, count in facets[facet].items():
            if count and value in found:
                found[value][status] = count
    return {value: statuses for value, statuses in found.items() if statuses}


def _stands(decisions: Decisions, track: Track) -> dict[str, int]:
    """Status -> entries, as a reviewer has decided."""
    rows = track.at[track.at != NONE]
    found = np.bincount(decisions.of_rows(rows, "status", 0), minlength=len(STATUSES)).tolist()
    return {status: count for status, count in zip(STATUSES, found, strict=True) if count and status != PENDING}


def _edited(decisions: Decisions, track: Track) -> int:
    rows = track.at[track.at != NONE]
    return int((decisions.of_rows(rows, "edit", NONE) != NONE).sum())


def _share(state: State, name: str, share: NDArray[np.bool_]) -> dict[str, int]:
    return {"entries": int(share.sum()), "decided": int((share & decided_by(state, name)).sum())}


def _days(decisions: Decisions) -> dict[str, dict[str, int]]:
    """Day (UTC) -> status -> decisions that were made on it."""
    events, statuses = decisions.log["event"], decisions.log["status"]
    found: dict[str, Counter[str]] = {}
    pairs, often = np.unique(events.astype(np.int64) * len(STATUSES) + statuses, return_counts=True)
    for pair, count in zip(pairs.tolist(), often.tolist(), strict=True):
        event = decisions.events[pair // len(STATUSES)]
        if event.do in DOES:  # not those that go back or forth
            found.setdefault(event.at[:_DATE], Counter())[STATUSES[pair % len(STATUSES)]] += count
    return {day: dict(found[day]) for day in sorted(found)}


def _lengths(state: State, column: str) -> dict[str, Any]:
    """Of all entries: mean, median, ends, and how many are how long; mean and median by status, too."""
    values = state.entries.column(column).astype(np.int64)
    if not len(values):
        return {"count": 0, "bins": [], "is_log": False}
    status = state.book.standing.status
    of_status = {name: values[status == number] for number, name in enumerate(STATUSES)}
    return {
        **_middle(values),
        "min": int(values.min()),
        "max": int(values.max()),
        **_bins(values),
        "by_status": {name: _middle(some) for name, some in of_status.items() if len(some)},
    }


def _middle(values: NDArray[np.int64]) -> dict[str, float]:
    return {"count": len(values), "mean": round(float(values.mean()), 3), "median": float(np.median(values))}


def _bins(values: NDArray[np.int64]) -> dict[str, Any]:
    """Bars of a histogram, `[from, to, entries]`, both ends included, and whether they grow by powers."""
    bins = bins_of(values.tolist())
    bars = [[0, 0, bins.zeros]] if bins.zeros else []
    for begin, end, count in zip(bins.edges, bins.edges[1:], bins.counts, strict=False):
        first, last = ceil(begin), ceil(end) - 1
        if first <= last:
            bars.append([first, last, count])
    return {"bins": bars, "is_log": bins.is_log}
