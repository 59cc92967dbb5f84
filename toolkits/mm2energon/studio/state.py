"""State: what the routes of a studio share, from its start to its end."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.machine import usable_memory_bytes
from mm2energon.studio.answers import Refused
from mm2energon.studio.decoding import Decoding
from mm2energon.studio.isolated import Isolated
from mm2energon.studio.login import Gate
from mm2energon.studio.settings import Settings

if TYPE_CHECKING:
    from mm2energon.pipeline.record_content import Content
    from mm2energon.review.model import Item
    from mm2energon.review.review import Review

#: Workers that decode for people who wait, and what one video or picture may cost them.
_WORKERS = 2
_DECODING_SECONDS = 120.0
_LEAST_MEMORY_BYTES = 4 << 30
#: Records of shards that are kept: the frames of a video are asked for one by one.
_RECORDS_KEPT = 3


@dataclass(frozen=True)
class State:
    """What the routes share; all of it may be used from any thread."""

    settings: Settings
    review: Review
    gate: Gate
    #: Ends what runs beside the requests, when the studio ends.
    ends: contextlib.ExitStack
    #: Where media are decoded.
    isolated: Isolated
    decoding: Decoding
    #: Set when the studio stops: what streams without end looks at it.
    is_ending: threading.Event = field(default_factory=threading.Event)
    _records: OrderedDict[int, Content] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        """What media paths are relative to, resolved."""
        return self.review.root

    def item(self, number: int, reviewer: str | None = None) -> Item:
        """An entry, as that reviewer has it.

        Raises:
            Refused: there is none of that number.
        """
        if not 0 <= number < self.review.count:
            raise Refused(404, f"there is no entry {number}; the first {self.review.count} are known")
        return self.review.item(number, reviewer)

    def is_record(self, item: Item) -> bool:
        """Whether the media of an entry are bytes of a shard; those of an answer that was kept are files."""
        kept = f"{self.review.kept_path.name}:"
        return self.review.kind == "shards" and item.error is None and not item.origin.startswith(kept)

    def content(self, number: int) -> Content:
        """The media of an entry of shards.

        Raises:
            SampleError: its record cannot be read.
        """
        with self._lock:
            known = self._records.get(number)
        if known is None:
            known = self.review.content(number)
            with self._lock:
                self._records[number] = known
                while len(self._records) > _RECORDS_KEPT:
                    self._records.popitem(last=False)
        return known

    def reviewer(self, named: str | None) -> str:
        """Who asks: one of those that are known.

        Raises:
            Refused: nobody of that name reviews here.
        """
        known = self.review.reviewers
        if named is not None and named not in known:
            names = ", ".join(repr(name) for name in known)
            raise Refused(400, f"{named[:100]!r} does not review here; one of {names} was expected", "no-reviewer")
        return known[0] if named is None else named


@contextlib.contextmanager
def open_state(settings: Settings) -> Iterator[State]:
    """Open the data, and close all when the block ends.

    Raises:
        InputError: the data cannot be opened.
    """
    from mm2energon.review.review import open_review

    limits = Limits(_DECODING_SECONDS, max(_LEAST_MEMORY_BYTES, usable_memory_bytes() // (2 * _WORKERS)))
    with contextlib.ExitStack() as ends:
        review = ends.enter_context(
            open_review(
                settings.data,
                root=settings.root,
                reviewers=settings.reviewers,
                category_key=settings.category_key,
                read_as=settings.read_as,
            )
        )
        _keep_private(settings.cache)
        isolated = Isolated(_WORKERS, limits)
        ends.callback(isolated.close)
        decoding = Decoding(isolated, settings.cache, settings.max_cache_bytes // 4)
        yield State(settings, review, Gate(settings.token, settings.port), ends, isolated, decoding)


def _keep_private(cache: Path) -> None:
    """Let nobody else of this machine look at the frames and copies of videos that only the token opens."""
    for folder in (cache, cache / "frames", cache / "previews"):
        with contextlib.suppress(OSError):  # whoever needs it is told
            folder.mkdir(mode=0o700, parents=True)  # one that is there keeps what its owner gave it
