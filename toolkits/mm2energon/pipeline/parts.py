"""Parts: stretches of the input, each prepared by a worker of its own, and joined in order to the plan of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from mm2energon import formats
from mm2energon.errors import SampleError, ToolkitError
from mm2energon.jsonio import Entry, EntryWriter, dumps, loads
from mm2energon.jsonplaces import Stretch, read_stretch, stretches_of
from mm2energon.pipeline.account import Account
from mm2energon.pipeline.annotations import names_of
from mm2energon.pipeline.brought import entries_brought
from mm2energon.pipeline.budget import Budget, Counting, Meter
from mm2energon.pipeline.collect import Collected, Figures, Preparing, collect_entries
from mm2energon.pipeline.loop import Executor, run_each
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.mirror import Mirrored
from mm2energon.pipeline.mirrors import mirror_here
from mm2energon.pipeline.prepare import GroupBy
from mm2energon.remote import Place
from mm2energon.targets import target_named
from mm2energon.video.layout import Frames
from mm2energon.video.pack import Packs

#: Bytes of annotations that one worker prepares at a time: some seconds of work.
PART_BYTES = 16 << 20
_SET_ASIDE = "set_aside.jsonl"


@dataclass(frozen=True, slots=True)
class HowPrepared:
    """How entries become samples; a few words, so that any executor can carry it."""

    root: Path
    #: Name of a row of TARGETS.
    target: str
    mending: Mending
    group_by: GroupBy
    seed: int
    #: Roots of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    default_fps: float | None = None
    decode_images: bool = False
    #: Frames that have no files of their own.
    packs: Packs | None = None
    #: How tokens are counted; None: nobody counts.
    counting: Counting | None = None
    max_tokens: int | None = None
    #: What `root` stands for, where that lies in a store.
    root_of: Mirrored | None = None

    def preparing(self, failures: Mapping[str, SampleError], *, found: Mapping[str, Frames] | None = None) -> Preparing:
        """The same, ready to work.

        Args:
            failures, found: as of MediaFinder.

        Raises:
            InputError: as of Meter.
        """
        finder = MediaFinder(
            self.root,
            further=self.further,
            failures=failures,
            found=found,
            packs=self.packs,
            default_fps=self.default_fps,
            decode_images=self.decode_images,
        )
        budget = None if self.counting is None else Budget(_meter(self.counting), self.max_tokens)
        return Preparing(target_named(self.target), self.mending, finder, self.group_by, self.seed, budget)


@lru_cache(maxsize=1)
def _meter(counting: Counting) -> Meter:
    return Meter(counting)


@dataclass(frozen=True, slots=True)
class Piece:
    """Entries of one file."""

    path: Place
    #: What the file is called in origins.
    name: str
    #: Which lines of it; None: all that it holds.
    stretch: Stretch | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Entries that are prepared by one worker: a unit of work."""

    number: int
    pieces: tuple[Piece, ...]
    how: HowPrepared
    #: Where what is made of them goes, and where it says which videos have no frames.
    folder: Path
    failures: Path

    def __str__(self) -> str:
        return f"part {self.number} of the annotations"


@dataclass(frozen=True, slots=True)
class Where:
    """What prepares the parts: workers of this machine, or something else."""

    workers: int
    executor: Executor | None = None


@dataclass(frozen=True, slots=True)
class PartDone:
    """What became of the entries of a part."""

    read: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    lost_behind: tuple[str, ...] = ()
    figures: Figures = field(default_factory=Figures)


def cut(root: Path, files: Sequence[Place]) -> Iterator[tuple[Piece, ...]]:
    """The entries of annotation files, in parts of about PART_BYTES.

    Raises:
        InputError: a file cannot be read.
    """
    held: list[Piece] = []
    held_bytes = 0
    for path, name in zip(files, names_of(root, files), strict=True):
        for stretch, size in _stretches(path):
            held.append(Piece(path, name, stretch))
            held_bytes += size
            if held_bytes >= PART_BYTES:
                yield tuple(held)
                held, held_bytes = [], 0
    if held:
        yield tuple(held)


def _stretches(path: Place) -> Iterable[tuple[Stretch | None, int]]:
    if isinstance(path, Path):
        return stretches_of(path, PART_BYTES)
    return [(None, path.size() or 0)]  # to look for the ends of its lines would bring all of it here


def prepare_part(part: Part) -> PartDone:
    """Prepare the entries of a part into its folder.

    Raises:
        InputError: a file cannot be read.
    """
    shutil.rmtree(part.folder, ignore_errors=True)
    part.folder.mkdir(parents=True)
    how, entries = part.how, _entries(part.pieces)
    if how.root_of is not None:
        mirror = mirror_here(how.root_of)
        how, entries = replace(how, root=mirror.folder), entries_brought(entries, mirror)
    preparing = how.preparing(_read_failures(part.failures))
    collected = Collected(part.folder, preparing, stays=True)
    path = part.folder / _SET_ASIDE
    with path.open("wb") as file:
        account = Account(EntryWriter(file, lines=True), path)
        for _ in collect_entries(entries, preparing, collected, account):
            pass
    collected.close()
    return PartDone(account.read, dict(account.reasons), tuple(account.lost_behind), collected.figures)


def _entries(pieces: Iterable[Piece]) -> Iterator[Entry]:
    for piece in pieces:
        for entry in read_stretch(piece.path, piece.stretch, name=piece.name):
            yield from formats.unwrap(entry)


def collect_parts(
    pieces: Iterable[tuple[Piece, ...]],
    how: HowPrepared,
    collected: Collected,
    account: Account,
    *,
    failures: Mapping[str, SampleError],
    where: Where,
) -> Iterator[tuple[bytes, int]]:
    """Prepare parts at the same time, and join them; their lines, and how many entries have been read with each.

    Raises:
        ToolkitError: a worker did not come to the end of its part.
    """
    folder = collected.folder / "parts"
    folder.mkdir()
    (folder / "failures.json").write_bytes(dumps({video: [e.code, str(e)] for video, e in failures.items()}))
    parts = (
        Part(number, some, how, folder / f"{number:06d}", folder / "failures.json")
        for number, some in enumerate(pieces)
    )
    preparing = how.preparing(failures)
    for outcome in run_each(prepare_part, parts, workers=where.workers, executor=where.executor):
        done, here = outcome.result, outcome.item.folder
        if done is None:
            raise ToolkitError(f"{outcome.error}; run the same command again")
        others = Collected(here, preparing, stays=True)
        yield from ((lines, 0) for lines in collected.join(others, done.figures))
        others.let_go()
        account.add(done.read, done.reasons, done.lost_behind, here / _SET_ASIDE)
        shutil.rmtree(here)
        yield b"", done.read
    shutil.rmtree(folder)


def _read_failures(path: Path) -> dict[str, SampleError]:
    return {video: SampleError(message, code) for video, (code, message) in loads(path.read_bytes()).items()}
