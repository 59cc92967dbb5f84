"""A dataset opened for review: how soon there is something to see, and how long views take; or all of it loaded."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.baselines.video import Work

#: Rows on a screen.
ROWS = 100
#: A word of every text, two of some, and one of none.
TEXTS = {"every": "the", "some": "mountain green", "none": "zzzz"}
_LOOK_SECONDS = 0.01


def first_rows(*, path: str) -> Work:
    """mm2energon: open it, and show the first rows."""
    from mm2energon.review.review import open_review

    def work() -> dict[str, Any]:
        with open_review(Path(path)) as review:
            while review.count < ROWS and not review.is_indexed:
                time.sleep(_LOOK_SECONDS)
            return {"rows": len(review.rows(review.select(), 0, ROWS))}

    return work


def load_all(*, path: str) -> Work:
    """What a page without an index does: load all entries, and show the first."""

    def work() -> dict[str, Any]:
        entries = json.loads(Path(path).read_bytes())
        return {"rows": len(entries[:ROWS])}

    return work


def session(*, path: str) -> Work:
    """mm2energon: index all, look for texts, decide on many, and open it again; what each took, in seconds."""
    from mm2energon.review.model import Filter
    from mm2energon.review.review import open_review

    def work() -> dict[str, Any]:
        took: dict[str, float] = {}

        def timed(name: str, step: Callable[[], Any]) -> Any:
            begun = time.perf_counter()
            found = step()
            took[name] = time.perf_counter() - begun
            return found

        with open_review(Path(path)) as review:
            timed("index", review.wait)
            for name, text in TEXTS.items():
                timed(f"view by text, in {name}", lambda text=text: review.select(Filter(text=text)))
            view = timed("view by status, sorted", lambda: review.select(Filter(status=("pending",)), "-words"))
            timed(f"{ROWS} rows from anywhere", lambda: review.rows(view, 0, ROWS))
            timed("counts of all facets", review.counts)
            some = view.numbers[:100_000].tolist()
            timed(f"one decision on {len(some)}", lambda: review.decide(some, "accept", reviewer="a"))
            timed("one decision", lambda: review.decide([0], "reject", reviewer="b"))
        with timed("open again", lambda: open_review(Path(path))) as review:
            timed("rows again", lambda: review.rows(review.select(), 0, ROWS))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return {"seconds": took, "indexer_peak_mb": peak}

    return work
