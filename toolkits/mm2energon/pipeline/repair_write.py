"""Writes the shards of a dataset sample by sample, each to the shard of its split that is open, and their metadata."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mm2energon.errors import InputError
from mm2energon.shards.index import ShardSummary, pack_index, unpack_index
from mm2energon.shards.metadata import SPLITS, write_metadata
from mm2energon.shards.records import Record
from mm2energon.shards.writer import ShardWriter

_ROWS_FOLDER = ".rows"


class DatasetWriter:
    """A dataset being written to a folder; `finish` completes it.

    The shards of all splits are open at once, so that samples may come in any order.
    """

    def __init__(self, folder: Path, *, max_samples: int) -> None:
        self._folder = folder
        self._rows = folder / _ROWS_FOLDER
        self._max_samples = max_samples
        self._open: dict[str, _OpenShard] = {}
        self._numbers = dict.fromkeys(SPLITS, 0)
        #: Split -> its shards, and shard -> what the manifest says of it.
        self.splits: dict[str, list[str]] = {split: [] for split in SPLITS}
        self.shards: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> DatasetWriter:
        self._rows.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for shard in self._open.values():
                shard.stack.__exit__(kind, error, trace)

    def write(self, split: str, key: str, record: Record) -> None:
        """Append a sample.

        Raises:
            InputError: it cannot stand in a shard.
        """
        shard = self._open.get(split)
        if shard is None:
            shard = self._open[split] = _OpenShard(self._folder / f"{split}-shard-{self._numbers[split]:06d}.tar")
            self._numbers[split] += 1
        try:
            shard.writer.write(key, record)
        except ValueError as error:
            raise InputError(f"{error}; take it out of the tar, and run again") from error
        shard.samples += 1
        if shard.samples >= self._max_samples:
            self._complete(split)

    def finish(self, *, dataset_yamls: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any]) -> None:
        """Complete the shards, and write `.nv-meta`."""
        for split in list(self._open):
            self._complete(split)
        write_metadata(
            self._folder,
            shards=self._summaries(),
            splits=self.splits,
            dataset_yamls=dataset_yamls,
            manifest={**manifest, "shards": self.shards},
        )
        shutil.rmtree(self._rows)

    def _complete(self, split: str) -> None:
        shard = self._open.pop(split)
        shard.stack.close()
        index, name = shard.writer.rows, shard.path.name
        (self._rows / name).write_bytes(pack_index(index))
        self.splits[split].append(name)
        about = {"samples": shard.samples, "bytes": index.file_bytes, "crc32": f"{shard.writer.crc32:08x}"}
        self.shards[name] = about

    def _summaries(self) -> Iterator[ShardSummary]:
        """The rows of one shard after another."""
        for split, names in self.splits.items():
            for name in names:
                yield ShardSummary(name, split, unpack_index((self._rows / name).read_bytes()))


class _OpenShard:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = 0
        self.stack = contextlib.ExitStack()
        self.writer = self.stack.enter_context(ShardWriter(path))
