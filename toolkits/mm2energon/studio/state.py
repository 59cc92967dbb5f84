"""State: what the routes of a studio share, from its start to its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.studio.login import Gate
from mm2energon.studio.settings import Settings

if TYPE_CHECKING:
    from mm2energon.review.review import Review


@dataclass(frozen=True)
class State:
    """What the routes share; all of it may be used from any thread."""

    settings: Settings
    review: Review
    gate: Gate
    #: Ends what runs beside the requests, when the studio ends.
    ends: contextlib.ExitStack
    #: Set when the studio stops: what streams without end looks at it.
    is_ending: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> Path:
        """What media paths are relative to, resolved."""
        return self.review.root


@contextlib.contextmanager
def open_state(settings: Settings) -> Iterator[State]:
    """Open the data, and close all when the block ends.

    Raises:
        InputError: the data cannot be opened.
    """
    try:
        from mm2energon.review import open_review
    except ImportError:  # until the review is there
        from types import SimpleNamespace

        told = dict(
            name=settings.data.name, kind="json", path=settings.data, root=settings.data.parent, count=0, total=0
        )
        told |= dict(is_indexed=True, problem=None, journal="", reviewers=settings.reviewers)
        yield State(settings, SimpleNamespace(**told), Gate(settings.token, settings.port), contextlib.ExitStack())
        return
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
        yield State(settings, review, Gate(settings.token, settings.port), ends)
