"""Trainers that read the entries of sharegpt or of messages as they are, each within limits of its own.

    {"messages": [{"role": "user", "content": "<image>\\nWhat is this?"}, {"role": "assistant", "content": "A cat."}],
     "images": ["pictures/7.jpg"]}

LLaMA-Factory: data/README.md there, "Sharegpt Format". ms-swift: "Custom dataset" of its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mm2energon.formats import messages, sharegpt
from mm2energon.formats.holds import Holds, require_held
from mm2energon.sample import Sample


@dataclass(frozen=True, slots=True)
class HubLike:
    """A trainer's limits."""

    name: str
    HOLDS: Holds
    #: `role`/`content`, not `from`/`value`.
    is_messages: bool

    def matches(self, entry: Mapping[str, Any], /) -> bool:
        """Whether an entry may be of this format."""
        return messages.matches(entry) or sharegpt.matches(entry)

    def load(self, entry: Mapping[str, Any], /, *, origin: str) -> Sample:
        """An entry as a Sample."""
        return messages.load(entry, origin=origin) if messages.matches(entry) else sharegpt.load(entry, origin=origin)

    def dump(self, sample: Sample, /) -> dict[str, Any]:
        """A Sample as an entry.

        Raises:
            SampleError: `cannot-hold`.
        """
        require_held(sample, self.HOLDS, self.name)
        return messages.dump(sample) if self.is_messages else sharegpt.dump(sample)


LLAMA_FACTORY = HubLike("llama-factory", Holds(alternate=True, tags="one each"), is_messages=False)
MS_SWIFT = HubLike("ms-swift", Holds(), is_messages=True)
CHATML = HubLike("chatml-jsonl", Holds(), is_messages=True)
