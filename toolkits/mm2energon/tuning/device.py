"""Device: which of the processes of a run this one is."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One of the processes of a run, as torchrun and `accelerate launch` number them."""

    number: int
    count: int

    @classmethod
    def here(cls) -> Device:
        """This process."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def leads(self) -> bool:
        """Whether it prepares the data and tells how the run is."""
        return self.number == 0
