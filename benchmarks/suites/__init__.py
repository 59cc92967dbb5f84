"""Suites: what is measured. Each is a function of a setting and the results that it adds to."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.results import Results
from benchmarks.scale import Setting
from benchmarks.suites import cpus, executors, frames, fused, growth, reading, review, shards, speech, startup

#: Suite -> (the parts of the data that it needs, what runs it), in the order of the tables.
SUITES: dict[str, tuple[tuple[str, ...], Callable[[Setting, Results], None]]] = {
    "frames": (("clips",), frames.run),
    "shards": (("pictures", "annotations"), shards.run),
    "fused": (("clips",), fused.run),
    "reading": (("annotations",), reading.run),
    "workers": (("clips",), cpus.run),
    "executors": ((), executors.run),
    "speech": (("talks",), speech.run),
    "startup": ((), startup.run),
    "review": (("annotations",), review.run),
    "growth": (("clips", "annotations"), growth.run),
}
