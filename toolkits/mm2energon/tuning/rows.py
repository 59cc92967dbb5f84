"""Rows: the prepared samples of a split, read and encoded when their turn comes, by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError, MediaError, SampleError
from mm2energon.jsonio import loads
from mm2energon.pipeline.media_reader import MediaReader
from mm2energon.pipeline.prepare import Prepared
from mm2energon.tuning.chats import chat_of_prepared
from mm2energon.tuning.encoding import Encoder, note_fault
from mm2energon.tuning.stopping import leave_signals_to_parent
from mm2energon.videochat.qwen_inputs import Encoded

#: Samples in a row that cannot be read, behind which it is not the samples that are at fault.
_MOST_FAULTS = 100


@dataclass(frozen=True)
class Rows:
    """The samples of one split; what a data loader of torch takes for a dataset."""

    path: Path
    #: Dataset root, packs of frames, and further roots.
    root: Path
    packs: Path
    further: tuple[Path, ...]
    encoder: Encoder
    #: Where samples are noted that cannot be read any more.
    output: Path

    def __len__(self) -> int:
        return len(self._begins)

    def __getitem__(self, number: int) -> Encoded:
        """A sample, encoded; where it cannot be read (any more) that is noted, and the next stands in for it.

        Raises:
            InputError: so many in a row cannot be read that it is not their own fault.
        """
        tries = min(len(self), _MOST_FAULTS)
        for place in range(number, number + tries):
            prepared = self._prepared(place % len(self))
            origin = prepared.sample.origin
            try:
                return self.encoder.encode(chat_of_prepared(prepared, self._reader.read(prepared.media, origin=origin)))
            except SampleError as error:
                note_fault(self.output, origin, error)
            except OSError as error:
                note_fault(self.output, origin, MediaError(f"{origin}: {error}", "missing-media"))
        raise InputError(
            f"{self.root}: {tries} samples in a row cannot be read; they could when the run was prepared; "
            "see that the dataset root is there, and run the same command again to go on, or with --restart to prepare "
            "them anew"
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what is opened anew in another process."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def _begins(self) -> NDArray[np.int64]:
        return np.fromiter(_line_begins(self.path), dtype=np.int64)

    @cached_property
    def _reader(self) -> MediaReader:
        return MediaReader(self.root, min_side=1, pai_seconds=False, packs=self.packs, further=self.further)

    def _prepared(self, number: int) -> Prepared:
        with self.path.open("rb") as file:
            file.seek(int(self._begins[number]))
            return Prepared.from_json(loads(file.readline()))


def _line_begins(path: Path) -> Iterator[int]:
    at = 0
    with path.open("rb") as file:
        for line in file:
            yield at
            at += len(line)


def load_batches(rows: Rows, batches: Iterable[list[int]], *, workers: int, seed: int) -> Iterable[dict[str, Any]]:
    """The batches as the model takes them, read ahead by worker processes."""
    import torch

    rows_of_torch: Any = rows  # which has the methods of a dataset, if not the class
    return torch.utils.data.DataLoader(
        rows_of_torch,
        batch_sampler=_AsList(batches),
        num_workers=workers,
        collate_fn=rows.encoder.batch,
        # Its own: that of torch decides the dropout, and must not move when a loader is opened.
        generator=torch.Generator().manual_seed(seed),
        prefetch_factor=2 if workers else None,
        multiprocessing_context="forkserver" if workers else None,
        worker_init_fn=leave_signals_to_parent,
    )


@dataclass(frozen=True)
class _AsList:
    """Batches that a data loader may go through; without a length, for there may be no end."""

    batches: Iterable[list[int]]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)
