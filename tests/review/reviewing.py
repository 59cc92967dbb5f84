"""CSV files, decisions on their rows, and what a review tells of both, for the tests of exporting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm2energon.review.csv_source import STATUS_WORDS, CsvSource
from mm2energon.review.indexing import source_at
from mm2energon.review.model import Reviewed
from mm2energon.review.sources import Source
from mm2energon.sample import Turn

HEADER = "index,video_file_path,question,category,answer,status"


def row(number: int, *, video: str = "v.mp4", status: str = "", question: str = "", answer: str = "") -> str:
    """A row of a CSV."""
    return f"{number},{video},{question or f'What is {number}?'},things,{answer or f'A {number}.'},{status}"


def write_csv(path: Path, *rows: str, header: str = HEADER, end: str = "\n") -> Path:
    """A CSV of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in (header, *rows)).encode())
    return path


def edited(question: str, answer: str, *more: Turn) -> tuple[Turn, ...]:
    """The turns of an edit."""
    return (Turn("user", f"<video>\n{question}"), Turn("assistant", answer), *more)


def decided(source: Source, decisions: Mapping[int, Any]) -> list[Reviewed]:
    """What a review tells: of each entry by its number a status, or the turns that it was edited to; without one it is
    what a CSV says of it."""
    told = []
    for number, found in enumerate(source.found()):
        sample, error, _ = source.load(found)
        value = source.value if isinstance(source, CsvSource) else lambda fields, _: ""
        begun = STATUS_WORDS.get(value(found.fields, "status").casefold(), "pending")
        decision = decisions.get(number, begun)
        is_edit = not isinstance(decision, str)
        if is_edit and sample is not None:
            sample = replace(sample, turns=decision)
        told.append(
            Reviewed(
                number=number,
                identity=f"{number:016x}.0",
                origin=found.entry.origin,
                sample=sample,
                error=error and (error.code, str(error)),
                edited=is_edit,
                category=value(found.fields, "category"),
                status="accepted" if is_edit else decision,
                reason="",
                fields=found.fields,
                entry=found.entry.value,
                breaks_off=found.entry.breaks_off,
            )
        )
    return told


class StandIn:
    """What an export asks of a review, of a source in this process: the true one indexes in a process of its own."""

    def __init__(self, path: Path, decisions: Mapping[int, Any] | None = None, *, root: Path | None = None) -> None:
        self.path, self.root = path, (root or path.parent).resolve()
        self.source: Any = source_at(path)
        self.kind, self.category_key = self.source.kind, "category"
        self.decisions = decisions or {}
        self.problem: str | None = None

    def reviewed(self, _status: Sequence[str]) -> Iterator[Reviewed]:
        """All entries."""
        return iter(decided(self.source, self.decisions))

    @contextmanager
    def rewriting(self, _digests: Mapping[int, int], _sha256: str) -> Iterator[None]:
        """Nobody asks it after an export."""
        yield
