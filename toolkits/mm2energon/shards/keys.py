"""Keys: the names of samples in a shard, unique through a number, readable through the original id."""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"[A-Za-z0-9_-]+")
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]+")
_SLUG_LENGTH = 48


def make_key(number: int, original_id: Any) -> str:
    """The key of sample `number`: `00000012`, or `00000012-some_id` when the entry has an id of its own.

    Args:
        number: position of the sample in the dataset, not negative; it alone makes the key unique.
        original_id: the entry's id, whatever its type; None when it has none.

    Raises:
        ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError(f"sample number {number}: below zero; count samples from 0")
    slug = _slug(original_id)
    return f"{number:08d}-{slug}" if slug else f"{number:08d}"


def valid_key(key: str) -> bool:
    """Whether every reader takes `key` as the name of one sample: letters, digits, `_` and `-`, and no `__` in front.

    A dot would end the key early, and names like `__this__` are passed over by WebDataset and Energon.
    """
    return _KEY.fullmatch(key) is not None and not key.startswith("__")


def _slug(original_id: Any) -> str:
    if original_id is None:
        return ""
    slug = _FOREIGN.sub("_", str(original_id))[:_SLUG_LENGTH]
    return slug.strip("_")
