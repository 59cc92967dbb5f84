"""What verify found: the numbers, the faults with their places, and what could not be told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: Faults and notes that are kept; all are counted.
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass
class Compared:
    """How the shards and the sources that they were made from go together."""

    #: Samples that are in both: those that are the same, and those that are not.
    same: int = 0
    different: int = 0
    #: Entries that are in no shard, and samples that are in no entry.
    missing: int = 0
    too_many: int = 0
    #: Entries that are in no shard, as the run that wrote them said.
    set_aside: int = 0
    #: Pictures that are not there byte for byte, and whose pixels were compared.
    by_pixels: int = 0
    #: Videos whose frames are in the shards alone, and were extracted again to be compared.
    extracted: int = 0
    #: Samples of which the text was compared and the media were not, by the reason.
    unseen: Counter[str] = field(default_factory=Counter)


@dataclass
class Verified:
    """What was read, and what was wrong."""

    target: str = ""
    #: Every byte was read, and every picture decoded.
    deep: bool = True
    #: Of what was not read nothing but the indexes were looked at, no headers: the shards lie in a store.
    by_index: bool = False
    #: Split -> samples that the tars hold, by their headers.
    samples: dict[str, int] = field(default_factory=dict)
    #: Split -> samples that webdataset read (all when `deep`), and that Energon's loader read.
    by_webdataset: dict[str, int] = field(default_factory=dict)
    by_energon: dict[str, int] = field(default_factory=dict)
    #: Metadata, headers and indexes agree, so that a loader that trusts them may be let near.
    trusted: bool = False
    images: int = 0
    videos: int = 0
    frames: int = 0
    #: Faults, of which no more than 10,000 are kept, and how many there are.
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    #: What could not be checked, and what is to be known, but is not wrong with the shards.
    notes: list[str] = field(default_factory=list)
    #: None: the sources were not given.
    compared: Compared | None = None

    def fault(self, place: str, what: str) -> None:
        """Note a fault."""
        self.fault_count += 1
        if self.fault_count <= _KEPT:
            self.faults.append(Fault(place, what))
