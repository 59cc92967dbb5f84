"""Decoding: the frames of videos that have none beside them, made once, by a worker, into the cache."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import anyio.to_thread
from fastapi import Request

from mm2energon.errors import SampleError
from mm2energon.pipeline.extract import extract_unit
from mm2energon.storage import remove_leftovers
from mm2energon.studio import strips
from mm2energon.studio.answers import Refused
from mm2energon.studio.isolated import Isolated
from mm2energon.studio.strips import Strip
from mm2energon.video.pack import Packs

_FAULTS_REMEMBERED = 10_000
#: What may go better when the machine has less to do, and seconds after which it is tried again.
_PASSING = frozenset({"video-timeout", "worker-died"})
_AGAIN_SECONDS = 300.0
#: Path, options, size and time of a video.
_Key = tuple[Path, int, int]


class Decoding:
    """Has videos decoded, and remembers which cannot be."""

    def __init__(self, isolated: Isolated, cache: Path, most_bytes: int) -> None:
        """
        Args:
            most_bytes: of all frames in the cache together.
        """
        self._isolated, self._cache, self._most_bytes = isolated, cache, most_bytes
        #: Why a video cannot be decoded, and when that was found.
        self._faults: dict[_Key, tuple[SampleError, float]] = {}
        self._lock = threading.Lock()

    def packs(self, root: Path, interval_seconds: float) -> Packs:
        """Where the frames of a root's videos lie, at that interval."""
        return strips.packs_for(self._cache, root, strips.options_for(interval_seconds))

    async def frames(self, request: Request, packs: Packs, video: str) -> Strip:
        """The frames of a video, decoded where they are not there yet.

        Args:
            video: its path relative to the root, which is known to be inside.

        Raises:
            SampleError: it cannot be decoded, or not in the time that it has.
            Refused: the request was given up, or the video changed meanwhile.
        """
        made, key = await anyio.to_thread.run_sync(_made, packs, video)
        if made is not None:
            return made
        fault, at = self._faults.get(key, (None, 0.0))
        if fault is not None and not (fault.code in _PASSING and time.monotonic() - at > _AGAIN_SECONDS):
            raise fault
        try:
            await self._isolated.answer(request, extract_unit, strips.unit_for(packs, video), key=key)
        except SampleError as error:
            with self._lock:
                if len(self._faults) >= _FAULTS_REMEMBERED:
                    self._faults.clear()
                self._faults[key] = error, time.monotonic()
            raise
        await anyio.to_thread.run_sync(sweep, packs.folder.parent, self._most_bytes)
        made, _ = await anyio.to_thread.run_sync(_made, packs, video)
        if made is None:
            raise Refused(409, f"{video}: changed while it was decoded; ask again", "changed")
        return made


def _made(packs: Packs, video: str) -> tuple[Strip | None, _Key]:
    facts = (packs.root / video).stat()
    return strips.packed(packs, video), (packs.pack_of(video), facts.st_size, facts.st_mtime_ns)


def sweep(folder: Path, most_bytes: int) -> None:
    """Remove the frames that were made longest ago, until the folder holds no more than that."""
    packs = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.glob("*/*.jpegs")]
    held = sum(size for _, size, _ in packs)
    for _, size, path in sorted(packs)[:-1]:  # never those that were just made
        if held <= most_bytes:
            break
        held -= size
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    for place in {path.parent for _, _, path in packs}:
        with contextlib.suppress(OSError):
            remove_leftovers(place)
