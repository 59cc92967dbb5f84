"""What `mm2energon export` and the studio are asked to export, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError, ToolkitError
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.machine import usable_memory_bytes
from mm2energon.pipeline.splits import SPLITS
from mm2energon.targets import TARGETS

#: What an entry may be to be exported; `any` is each of them.
STATUSES = ("accepted", "rejected", "pending", "disputed")
ANY = "any"
#: Seconds that the first frame of one video may take.
VIDEO_SECONDS = 60.0
_LEAST_MEMORY_BYTES = 4 << 30
#: Words of a status column that are shown, and characters of each.
_SHOWN_WORDS, _MOST_CHARACTERS = 8, 40


def limits_of(workers: int, *, seconds: float = VIDEO_SECONDS) -> Limits:
    """What opening one medium may cost, when so many are opened at a time.

    Args:
        seconds: 0: any time.
    """
    return Limits(seconds or None, max(_LEAST_MEMORY_BYTES, usable_memory_bytes() // workers))


class ExportCancelledError(ToolkitError):
    """Somebody stopped the export."""


@dataclass(frozen=True)
class ShardsWanted:
    """Shards that are made of what is exported."""

    output: Path
    target: str
    #: Seconds between the frames of videos that have none yet.
    interval_seconds: float = 0.5
    #: What an earlier run wrote there is removed first.
    restart: bool = False


@dataclass(frozen=True)
class ExportJob:
    """What is to be exported, and where to."""

    output: Path
    #: Names of TEMPLATES, `all` and `all-legacy`.
    templates: tuple[str, ...]
    #: Of STATUSES, or `any`.
    status: str = "accepted"
    #: Split -> share; None: one file of all samples for each template.
    shares: Mapping[str, float] | None = None
    seed: int = 42
    #: Every distinct video is opened, and its first frame decoded.
    checks_videos: bool = True
    #: Of a CSV: its status, question and answer become what was decided.
    updates_csv: bool = True
    #: Media are named by absolute paths.
    absolute_paths: bool = False
    #: Files that mm2energon did not write are replaced.
    overwrite: bool = False
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    workers: int = 1
    limits: Limits = field(default_factory=lambda: limits_of(1))
    shards: ShardsWanted | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that get a file, in order; without shares all samples are in that of `train`."""
        return SPLITS[:1] if self.shares is None else tuple(name for name in SPLITS if self.shares.get(name))

    def options(self) -> dict[str, Any]:
        """What decides the files, besides the decisions, for the report."""
        return {
            "templates": list(self.templates),
            "status": self.status,
            "shares": None if self.shares is None else dict(self.shares),
            "seed": self.seed,
            "check_videos": self.checks_videos,
            "update_csv": self.updates_csv,
            "absolute_paths": self.absolute_paths,
        }


def check_job(job: ExportJob) -> None:
    """Refuse what cannot be done.

    Raises:
        InputError: a status or shares that are none, or a file in the place of the output.
    """
    if job.status not in (*STATUSES, ANY):
        raise InputError(f"--status {job.status}: one of {', '.join((*STATUSES, ANY))} was expected")
    shares = job.shares
    if shares is not None and (
        any(share < 0 for share in shares.values())
        or not 0 < sum(shares.values()) < float("inf")
        or not set(shares) <= set(SPLITS)
    ):
        shown = ", ".join(f"--{split}-split {share:g}" for split, share in shares.items())
        raise InputError(f"{shown}: shares of 0 or more were expected, one of them above 0")
    if not job.templates and job.shards is None:
        raise InputError("nothing to export: a template (--template all) or shards (--shards FOLDER) were expected")
    if job.shards is not None and job.shards.target not in TARGETS:
        raise InputError(f"--target {job.shards.target}: one of {', '.join(TARGETS)} was expected")
    if job.output.exists() and not job.output.is_dir():
        raise InputError(f"--output {job.output}: is no folder; the name of one was expected, such as training_data")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file that was written."""

    path: Path
    template: str
    split: str
    records: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sample that is in no file, or, where a template is named, not in that template's."""

    origin: str
    #: A reason code of `errors.REASONS`.
    reason: str
    message: str
    template: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain values, for the log and the page."""
        of = {} if self.template is None else {"template": self.template}
        return {"origin": self.origin, "reason": self.reason, "message": self.message, **of}


@dataclass
class OfVideo:
    """The samples of one video, or of another medium that comes first in them."""

    samples: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class CsvUpdate:
    """What became of the CSV."""

    path: Path
    #: The copy of it as it was before.
    backup: Path
    #: Rows that now say something else.
    rows: int
    #: Origins of rows whose edited conversation a question and an answer cannot hold.
    not_held: tuple[str, ...] = ()


@dataclass
class Exported:
    """What was exported."""

    account: dict[str, Any] = field(default_factory=dict)
    files: list[ExportFile] = field(default_factory=list)
    #: The first of what was skipped; all of it is in `set_aside.jsonl`, and counted in `not_held`.
    skipped: list[Skipped] = field(default_factory=list)
    #: Template -> reason code -> samples that are in other files, and not in its own.
    not_held: dict[str, dict[str, int]] = field(default_factory=dict)
    #: Status -> entries that have it, and were not asked for.
    left_out: dict[str, int] = field(default_factory=dict)
    #: What stands in the status column of rows that nobody decided on, and is no decision that is known -> rows.
    unknown_words: dict[str, int] = field(default_factory=dict)
    #: What is wrong with the source or the journal, though it can be exported: decisions on what is not there any more.
    problem: str = ""
    #: Rows of the CSV whose status was another decision, made elsewhere or before, than the one that was made here.
    turned_rows: int = 0
    videos: dict[str, OfVideo] = field(default_factory=dict)
    csv: CsvUpdate | None = None
    #: Files by which trainers find the others.
    companions: list[Path] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    #: What is told of shards that were made: lines, and the exit status.
    shards: list[str] = field(default_factory=list)
    shards_status: int = 0
    seconds: float = 0.0

    @property
    def notes(self) -> list[str]:
        """What is to be said of the source and of its journal."""
        turned = (
            f"status column: {self.turned_rows} rows said another decision than the one that was made here; it holds"
        )
        return [note for note in (self.problem, self.unknown_status, turned if self.turned_rows else "") if note]

    @property
    def unknown_status(self) -> str:
        """What is to be said of `unknown_words`; nothing where there are none."""
        words = [f"{word[:_MOST_CHARACTERS]!r} {count}" for word, count in self.unknown_words.items()]
        more = ", ..." if len(words) > _SHOWN_WORDS else ""
        told = f"status column: {', '.join(words[:_SHOWN_WORDS])}{more}: taken for pending"
        return f"{told}; accepted or rejected were expected" if words else ""

    @property
    def samples(self) -> int:
        """Samples that are in a file."""
        return int(sum(self.account.get("written", {}).values()))

    @property
    def records(self) -> int:
        """Entries in all files together."""
        return sum(file.records for file in self.files)
