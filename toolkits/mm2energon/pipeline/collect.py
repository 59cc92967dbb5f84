"""Collect: prepared samples as lines of a plan, and, in files of their own, the numbers by which they are dealt out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, dumps
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.budget import Budget
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.numbers import Numbers
from mm2energon.pipeline.prepare import (
    GroupBy,
    Prepared,
    content_name,
    differs_from_2_fps,
    group_names,
    prepare,
)
from mm2energon.pipeline.splits import Groups
from mm2energon.targets import Target

SAMPLES = "samples.jsonl"
#: What a sample takes in a shard beside its media and its text: the headers and the padding of its parts.
_OVERHEAD_BYTES = 4096
_FORMATS = {name: place for place, name in enumerate(formats.FORMATS)}
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Preparing:
    """How entries become samples."""

    target: Target
    mending: Mending
    finder: MediaFinder
    group_by: GroupBy
    seed: int
    #: What a sample may cost; None: nobody counts.
    budget: Budget | None = None


@dataclass
class Figures:
    """What is known of all samples together."""

    #: Other readers of the same bytes -> samples of which they would lose something.
    refused_by: dict[str, int] = field(default_factory=dict)
    #: Samples that hold a video at another rate than 2 fps.
    other_rates: int = 0
    #: Bytes to be copied; a picture that is stored anew counts as many as could be copied meanwhile.
    work_bytes: int = 0
    #: Bytes that the samples take in shards, at most.
    sample_bytes: int = 0

    def add(self, other: Figures) -> None:
        """Add those of more samples."""
        self.refused_by = dict(Counter(self.refused_by) + Counter(other.refused_by))
        self.other_rates += other.other_rates
        self.work_bytes += other.work_bytes
        self.sample_bytes += other.sample_bytes


class Collected:
    """Planned samples: their lines in a file, and beside it numbers alone."""

    def __init__(self, folder: Path, preparing: Preparing, *, stays: bool = False) -> None:
        """
        Args:
            folder: where the files lie.
            stays: the numbers have names, so that somebody else can read them.
        """
        self.folder = folder
        self.groups = Groups(seed=preparing.seed, folder=folder, path=folder / "groups" if stays else None)
        #: Of each sample: where its line begins, the bytes that it may take, and the place of its format in FORMATS.
        self.numbers = Numbers(
            {"offset": "Q", "size": "Q", "format": "B"}, folder=folder, path=folder / "numbers" if stays else None
        )
        self.figures = Figures()
        self._lines: IO[bytes] = (folder / SAMPLES).open("ab")
        self._end = self._lines.tell()
        self._group_by = preparing.group_by
        self._min_side = preparing.target.rules.min_side if preparing.mending.enlarge_small_images else 1

    def add(self, prepared: Prepared, line: bytes, format_name: str) -> None:
        """Add a sample, with its line."""
        self._lines.write(line)
        # A target may write each text under two keys.
        media_bytes, work_bytes = prepared.media.costs(self._min_side)
        size = media_bytes + 2 * len(line) + _OVERHEAD_BYTES
        self.numbers.append(self._end, size, _FORMATS[format_name])
        self._end += len(line)
        figures = self.figures
        figures.sample_bytes += size
        figures.work_bytes += work_bytes
        figures.other_rates += differs_from_2_fps(prepared)
        for other in prepared.refused_by:
            figures.refused_by[other] = figures.refused_by.get(other, 0) + 1
        shared = group_names(prepared, self._group_by)
        content = [] if shared else [content_name(prepared.sample)]
        if self._group_by == "none":
            self.groups.add(shared, own=content)
        else:  # a sample without media that stands there twice stays in one split, too
            self.groups.add(shared or content)

    def join(self, others: Collected, figures: Figures) -> Iterator[bytes]:
        """Add the samples of others behind these; their lines, in blocks."""
        self.groups.extend(others.groups)
        for block in others.numbers.blocks():
            rows = block.copy()
            rows["offset"] += self._end
            self.numbers.extend(rows)
        with (others.folder / SAMPLES).open("rb") as lines:
            while some := lines.read(_BLOCK_BYTES):
                self._lines.write(some)
                self._end += len(some)
                yield some
        self.figures.add(figures)

    def close(self) -> None:
        """Put everything into the files."""
        self._lines.close()
        self.numbers.flush()
        self.groups.flush()

    def let_go(self) -> None:
        """Close all files, so that their folder can be removed: NFS keeps one that holds an open file."""
        self._lines.close()
        self.numbers.close()
        self.groups.close()


def collect_entries(
    entries: Iterable[Entry], preparing: Preparing, collected: Collected, account: Account
) -> Iterator[tuple[bytes, int]]:
    """Prepare entries, and add them; the line of each, which is empty where it is set aside, and that it is one."""
    for entry in entries:
        account.read += 1
        try:
            prepared, line = _prepared(entry, preparing)
            collected.add(prepared, line, formats.detect(entry.value, origin=entry.origin))
        except SampleError as error:
            account.set_aside(entry, error)
            line = b""
        yield line, 1


def _prepared(entry: Entry, preparing: Preparing) -> tuple[Prepared, bytes]:
    """The prepared sample, and its line of the plan."""
    prepared = prepare(
        entry, target=preparing.target, mending=preparing.mending, finder=preparing.finder, budget=preparing.budget
    )
    try:
        return prepared, dumps(prepared.as_json()) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise SampleError(f"{entry.origin}: cannot be written as JSON again ({error})", "broken-json") from error
