"""Told: entries, rows and what happened to them, as plain values for the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mm2energon.sample import Sample
from mm2energon.studio.answers import encoded

if TYPE_CHECKING:
    from mm2energon.review.model import Item, Opinion, Row

#: Bytes of an entry, as JSON, that a page is shown.
_MOST_ENTRY_BYTES = 200_000


def row_told(row: Row) -> dict[str, Any]:
    """An entry in a list."""
    return asdict(row)


def sample_told(sample: Sample | None) -> dict[str, Any] | None:
    """A conversation and the names of its media."""
    if sample is None:
        return None
    return {
        "turns": [{"role": turn.role, "text": turn.text} for turn in sample.turns],
        "images": list(sample.images),
        "videos": [list(video) if isinstance(video, tuple) else video for video in sample.videos],
        "audios": list(sample.audios),
        "id": sample.id,
        "extra": dict(sample.extra),
    }


def item_told(item: Item) -> dict[str, Any]:
    """All that is known of an entry, but for its media."""
    return {
        "number": item.number,
        "identity": item.identity,
        "origin": item.origin,
        "sample": sample_told(item.sample),
        "original": sample_told(item.original) if item.edited else None,
        **_entry(item.entry),
        "error": None if item.error is None else {"code": item.error[0], "message": item.error[1]},
        "status": item.status,
        "edited": item.edited,
        "reason": item.reason,
        "category": item.category,
        "format": item.format,
        "warnings": list(item.warnings),
        "fields": dict(item.fields),
        "history": [
            {**past._asdict(), "sample": sample_told(item.edits.get(place))} for place, past in enumerate(item.history)
        ],
        "by_reviewer": dict(item.by_reviewer),
        "opinions": {name: _opinion_told(one) for name, one in item.opinions.items()},
        "assigned_to": list(item.assigned_to),
        "can_undo": item.can_undo,
        "can_redo": item.can_redo,
    }


def _opinion_told(opinion: Opinion) -> dict[str, Any]:
    return {
        "status": opinion.status,
        "reason": opinion.reason,
        "category": opinion.category,
        "sample": sample_told(opinion.sample),
    }


def _entry(value: Any) -> dict[str, Any]:
    """The raw entry; of a long one the beginning of its text."""
    text = encoded(value)
    if len(text) <= _MOST_ENTRY_BYTES:
        return {"entry": value, "entry_is_cut": False}
    return {"entry": text[:_MOST_ENTRY_BYTES].decode("utf-8", "replace"), "entry_is_cut": True}
