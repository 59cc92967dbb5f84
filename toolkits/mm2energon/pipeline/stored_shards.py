"""Finished shards in a store: what is known of them comes here as a whole, of the shards what is read of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mm2energon.pipeline.mirror import Mirror, Mirrored
from mm2energon.pipeline.mirrors import mirror_here
from mm2energon.shards import reader
from mm2energon.shards.index import idx_path
from mm2energon.shards.metadata import FOLDER

#: The index of all rows, which is large, and which not all need.
_ROWS = f"{FOLDER}/index.sqlite"
_LAST = f"{FOLDER}/dataset.yaml"
_SMALL_SUFFIXES = (".json", ".jsonl")
_ACCOUNT = re.compile(r"(report|set_aside)(\..+)?\.jsonl?")
#: Bytes of a shard that are brought at a time, in pieces of it.
_AT_A_TIME_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class InStore:
    """Where a unit of work finds its shard."""

    of: Mirrored
    #: Bytes of the shard; None: there is none.
    file_bytes: int | None


class StoredDataset:
    """A dataset in a store, and the mirror that it is looked at in."""

    def __init__(self, mirror: Mirror, above: Mirror | None = None) -> None:
        """Bring the metadata and the accounts, and show the rest.

        Args:
            above: of the folder that the dataset lies in, whose accounts are wanted, too.

        Raises:
            OSError: the store does not give them.
        """
        self.mirror = mirror
        self.root = mirror.folder
        self.above = None if above is None else above.folder
        small = [name for name in mirror.show() if PurePosixPath(name).suffix in _SMALL_SUFFIXES]
        mirror.bring(small)
        self._bring_metadata()
        if above is not None:
            above.bring(name for name, _ in above.remote.files() if _ACCOUNT.fullmatch(name))

    def _bring_metadata(self) -> None:
        self.mirror.bring(name for name in self.mirror.show(FOLDER) if name != _ROWS)

    @property
    def energon_url(self) -> str | None:
        """By which Energon reads it, which speaks to stores by multi-storage-client alone; None where it cannot."""
        return self.mirror.remote.energon_url

    def show_shards(self, names: Iterable[str]) -> None:
        """Show shards that lie in folders of the dataset.

        Raises:
            OSError: the store does not say.
        """
        for folder in sorted({name.rpartition("/")[0] for name in names} - {""}):
            self.mirror.show(folder)

    def bring_rows(self) -> None:
        """Bring the index of all rows.

        Raises:
            OSError: the store does not give it.
        """
        self.mirror.bring([_ROWS])

    def bring_first(self, shard: str) -> None:
        """Bring the first sample of a shard, behind which it seems to end then.

        Raises:
            OSError: the store does not give it.
        """
        self.mirror.fetch([_idx(shard)])
        offsets = reader.read_offsets(self.root / shard)
        if len(offsets) > 1 and self.mirror.has(shard):
            self.mirror.fill(shard, [(offsets[0], offsets[1])])

    def bring_whole(self, shard: str) -> None:
        """Bring a shard.

        Raises:
            OSError: the store does not give it.
        """
        self.mirror.fetch([shard])

    @contextlib.contextmanager
    def whole(self, shard: str) -> Iterator[None]:
        """A shard that is here until the block ends.

        Raises:
            OSError: as `bring_whole`.
        """
        self.bring_whole(shard)
        yield
        self.mirror.let_go([shard])

    def publish_metadata(self) -> None:
        """Let the metadata in the store be those that are here now; `dataset.yaml` comes last.

        Raises:
            OSError: the store does not take them.
        """
        self.mirror.sync(lambda name: int(name == _LAST) if name.startswith(f"{FOLDER}/") else None)
        self.mirror.remove_gone()
        self._bring_metadata()

    def of_shard(self, name: str) -> InStore:
        """What a unit of work has to know."""
        path = self.root / name
        return InStore(self.mirror.of, path.stat().st_size if path.is_file() else None)


class Pieces:
    """A shard in a mirror of which nothing is there yet, for who reads it piece by piece."""

    def __init__(self, mirror: Mirror, name: str) -> None:
        self._mirror, self._name = mirror, name

    def whole(self) -> None:
        """Bring all of it.

        Raises:
            OSError: the store does not give it.
        """
        self._mirror.fetch([self._name])

    def bring_rows(self) -> None:
        """Bring the index of all rows of the dataset.

        Raises:
            OSError: the store does not give it.
        """
        self._mirror.bring([_ROWS])

    def some(self, stretches: Sequence[tuple[int, int]]) -> None:
        """Bring these stretches, in the place of others.

        Raises:
            OSError: the store does not give them.
        """
        self._mirror.fill(self._name, stretches)


@contextlib.contextmanager
def shard_brought(in_store: InStore | None, root: Path, name: str) -> Iterator[tuple[Path, Pieces | None]]:
    """The folder to read a shard in, and what brings it where it lies in a store; its offsets are there."""
    if in_store is None:
        yield root, None
        return
    mirror = mirror_here(in_store.of)
    try:
        if in_store.file_bytes is not None:
            mirror.show_file(name, in_store.file_bytes)
        mirror.fetch([_idx(name)])
        yield mirror.folder, Pieces(mirror, name)
    finally:
        mirror.forget([name, _idx(name)])


def in_batches(places: Sequence[int], stretches: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Places of samples, as many together as are brought at a time.

    Args:
        stretches: where each sample of the shard lies.
    """
    some: list[int] = []
    size = 0
    for place in places:
        begin, end = stretches[place] if place < len(stretches) else (0, 0)
        if some and size + end - begin > _AT_A_TIME_BYTES:
            yield some
            some, size = [], 0
        some.append(place)
        size += max(0, end - begin)
    if some:
        yield some


def _idx(shard: str) -> str:
    return idx_path(Path(shard)).as_posix()
