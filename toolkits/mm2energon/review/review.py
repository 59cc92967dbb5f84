"""Review: a dataset opened for people to look at and decide on; the front of all that lies in this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mm2energon.pipeline.record_content import Content
from mm2energon.review.model import Agreement, Alike, Changes, Filter, Item, Kind, Reviewed, Row, View
from mm2energon.sample import Sample


def open_review(
    path: Path,
    *,
    root: Path | None = None,
    reviewers: Sequence[str] = ("",),
    category_key: str = "category",
    read_as: str | None = None,
    journal: Path | None = None,
) -> Review:
    """Open an annotation file, a CSV, or a folder of finished shards; `with` closes it. The source is never changed.

    Args:
        root: the folder that media paths are relative to; the source's folder by default.
        reviewers: who decides here; names that the journal knows come to them.
        category_key: of a JSON entry, the key by which it has a category (also inside of "extra").
        read_as: a name of FORMATS, where entries are of another format than they look like.
        journal: where decisions are kept; `<name>.review.jsonl` beside the data by default.

    Raises:
        InputError: there is no such source, or it is none that can be reviewed.
    """
    raise NotImplementedError


class Review:
    """A dataset that is reviewed; all methods can be called from several threads."""

    #: What the source is called.
    name: str
    path: Path
    kind: Kind
    root: Path
    #: Where the decisions are.
    journal_path: Path
    #: Of samples that were kept from answers.
    kept_path: Path

    def __enter__(self) -> Review:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all files, and end the process that builds the index."""

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Those who were named at opening, and those whom the journal knows."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """Entries that can be shown so far."""
        raise NotImplementedError

    @property
    def total(self) -> int | None:
        """All entries; None until they are counted."""
        raise NotImplementedError

    @property
    def is_indexed(self) -> bool:
        """Whether all entries are known."""
        raise NotImplementedError

    @property
    def progress(self) -> float:
        """Which share of the source is indexed, 0 to 1."""
        raise NotImplementedError

    @property
    def problem(self) -> str | None:
        """What is wrong with the source, the index or the journal, for people; None when nothing is."""
        raise NotImplementedError

    def select(self, wanted: Filter | None = None, sort: str = "number") -> View:
        """The entries that a filter chooses.

        Raises:
            InputError: a status, medium or sort that there is none of.
        """
        raise NotImplementedError

    def view(self, view_id: str) -> View | None:
        """A view of before; None when it is forgotten (the last 32 are kept)."""
        raise NotImplementedError

    def rows(self, view: View | str, offset: int = 0, limit: int = 100) -> list[Row]:
        """Some entries of a view.

        Raises:
            InputError: the view is forgotten.
        """
        raise NotImplementedError

    def counts(self, wanted: Filter | None = None) -> dict[str, dict[str, int]]:
        """How many entries have which value of `status`, `category`, `medium`, `warning`, `reviewer` and `reason`.

        As pages with filters want it: of each facet all values are counted among the entries that the rest of the
        filter chooses. Of categories and reasons the 200 most frequent.
        """
        raise NotImplementedError

    def item(self, number: int, reviewer: str | None = None) -> Item:
        """All that is known of an entry.

        Args:
            reviewer: who asks, whose undo and redo are told; the first one by default.

        Raises:
            InputError: there is no such entry, or the source has changed.
        """
        raise NotImplementedError

    def content(self, number: int) -> Content:
        """The media of an entry of finished shards, as bytes.

        Raises:
            InputError: the source is no folder of shards, or cannot be read.
            SampleError: the record cannot be.
        """
        raise NotImplementedError

    def decide(
        self,
        numbers: Sequence[int] | View,
        do: str,
        *,
        reviewer: str = "",
        reason: str = "",
        sample: Sample | None = None,
        category: str | None = None,
    ) -> int:
        """Decide on entries, one of DOES; all of them or, where it cannot be saved, none. How many that changed.

        Args:
            sample: as edited; of one entry alone.
            category: a new one.

        Raises:
            InputError: there is no such entry or decision.
            OSError: it cannot be saved; nothing has changed.
        """
        raise NotImplementedError

    def undo(self, number: int, reviewer: str = "") -> bool:
        """Take back what a reviewer did last to an entry; False when there is nothing."""
        raise NotImplementedError

    def redo(self, number: int, reviewer: str = "") -> bool:
        """Do again what was taken back; False when there is nothing."""
        raise NotImplementedError

    def undo_last(self, reviewer: str = "") -> tuple[int, ...]:
        """Take back what a reviewer did last, to however many entries; their numbers."""
        raise NotImplementedError

    def changes(self, since: int = 0) -> Changes:
        """What has happened since, here and in other processes; `changes(-1)` says from where to count."""
        raise NotImplementedError

    def alike(self, number: int) -> Alike:
        """Other entries of the same content, media, question, or text."""
        raise NotImplementedError

    def assign(
        self, reviewers: Sequence[str], *, per_entry: int = 1, seed: int = 0, view: View | None = None
    ) -> dict[str, int]:
        """Share entries out evenly, each to so many reviewers; how many each has got.

        Args:
            seed: by which they are dealt: the same gives the same shares.
            view: which entries; all by default.

        Raises:
            InputError: fewer reviewers than one entry wants.
        """
        raise NotImplementedError

    def agreement(self, *, edits_apart: bool = False) -> list[Agreement]:
        """How far each pair of reviewers agrees.

        Args:
            edits_apart: accepted after an edit is another decision than accepted (tables of 3 x 3).
        """
        raise NotImplementedError

    def statistics(self) -> Mapping[str, Any]:
        """Counts by category, status, reviewer and day, and lengths of questions and answers."""
        raise NotImplementedError

    def reviewed(self, status: str | Sequence[str] = "accepted") -> Iterator[Reviewed]:
        """Entries of a status, or of several, in source order; it waits until all are indexed."""
        raise NotImplementedError

    def keep(self, sample: Sample, about: Mapping[str, Any]) -> int | None:
        """Add an answer as a sample for review; its number, or None while those of the source are still counted.

        Args:
            about: where it came from, kept with it (`extra`).

        Raises:
            OSError: it cannot be saved.
        """
        raise NotImplementedError
