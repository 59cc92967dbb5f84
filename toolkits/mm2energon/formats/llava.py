"""LLaVA: as ShareGPT, but with singular media keys that hold a path or a list of paths.

{"id": "7", "image": "pictures/7.jpg",
 "conversations": [{"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", "value": "A cat."}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.formats import sharegpt
from mm2energon.formats.holds import Holds
from mm2energon.formats.media import PLURALS
from mm2energon.sample import Sample

HOLDS = Holds()


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format: a conversation, and a singular media key."""
    return "conversations" in entry and not PLURALS.keys().isdisjoint(entry)


load = sharegpt.load


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry: one medium as a string, several as a list."""
    entry = sharegpt.dump(sample)
    for singular, plural in PLURALS.items():
        if plural in entry:
            paths = entry.pop(plural)
            entry[singular] = paths[0] if len(paths) == 1 and isinstance(paths[0], str) else paths
    return entry
