"""What doctor can find in a dataset: the closed list of findings, and the collector that counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mm2energon.errors import ToolkitError

#: Whether repair mends it: always, from the sources alone, or in part.
Repair = Literal["yes", "with --from-sources", "no"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the list."""

    #: What is counted.
    of: Literal["", "shards", "samples", "pictures", "names"]
    what: str
    effect: str
    repair: Repair


#: Code -> what it means, what it does to training, and whether repair mends it.
FINDINGS: dict[str, Kind] = {
    "no-metadata": Kind("", "there is no .nv-meta", "Energon does not take the folder for a dataset", "yes"),
    "no-dataset-yaml": Kind("", "dataset.yaml is missing, or cannot be read", "Energon stops", "yes"),
    "bad-field-map": Kind(
        "", "the field_map of dataset.yaml is not what the reader needs", "the reader cannot make a sample of it", "yes"
    ),
    "no-sample-loader": Kind("", "dataset.yaml names a sample_loader that is not there", "Energon stops", "yes"),
    "no-split-yaml": Kind("", "split.yaml is missing, or cannot be read", "Energon stops", "yes"),
    "empty-train": Kind("", "the train split has no samples", "Energon stops: no shards in train", "yes"),
    "missing-split": Kind("names", "split.yaml lacks train, val or test", "asking for that split stops", "yes"),
    "unlisted-shard": Kind("shards", "a shard is there, and in no split", "its samples are never seen", "yes"),
    "absent-shard": Kind("names", "a split names a shard that is not there", "the loader stops", "yes"),
    "shard-in-two-splits": Kind("shards", "a shard is in two splits", "what is trained on is validated on", "yes"),
    "no-counts": Kind(
        "", ".info.json and .info.yaml are missing, or cannot be read", "Energon does not load the dataset", "yes"
    ),
    "no-info-json": Kind(
        "",
        ".info.json is missing",
        "Energon 7 reads .info.yaml in its place; tools that look for .info.json stop",
        "yes",
    ),
    "wrong-count": Kind(
        "shards", "the counted samples are not those of the shard", "Energon hides or misses some", "yes"
    ),
    "no-idx": Kind("shards", "the .tar.idx is missing", "Energon stops", "yes"),
    "wrong-idx": Kind(
        "shards", "the .tar.idx does not fit the tar", "Energon reads samples cut in two, or stops", "yes"
    ),
    "no-index": Kind(
        "", "index.sqlite is missing", "Energon 7 trains without it; it cannot join, mount or look up samples", "yes"
    ),
    "stale-index": Kind("shards", "index.sqlite does not tell the samples", "lookups give other samples", "yes"),
    "no-uuid": Kind("", "index.uuid is missing", "joining it with other datasets stops", "yes"),
    "broken-shard": Kind(
        "shards", "a tar that cannot be read to its end", "loading stops there; what stands behind is lost", "no"
    ),
    "odd-member": Kind("names", "a member has no key and part in its name", "it is passed over", "no"),
    "dotted-key": Kind(
        "samples",
        "a key holds a dot",
        "readers end the key there, take the rest for the part, and do not find their parts",
        "yes",
    ),
    "repeated-key": Kind(
        "samples", "a key occurs twice", "of neighbours one is lost; Energon 7.3 and later refuse to index", "yes"
    ),
    "bad-key": Kind(
        "samples",
        "a key is no name that every reader takes",
        "__x__ is passed over; a slash makes folders where shards are unpacked or mounted",
        "yes",
    ),
    "lacking-part": Kind(
        "samples", "a part that the reader asks for is not there", "the reader stops or drops it", "yes"
    ),
    "unread-part": Kind("samples", "a part holds media, and the reader does not read it", "trained without it", "yes"),
    "other-turns": Kind("samples", "the turns have other keys than the reader's", "the sample is dropped", "yes"),
    "bad-json": Kind("samples", "the json is no conversation", "the sample is dropped", "no"),
    "unsafe-pickle": Kind(
        "samples",
        "a pickle holds something else than lists of bytes",
        "restricted unpicklers refuse it; others run what it names: do not load it",
        "no",
    ),
    "lost-in-training": Kind(
        "samples", "the reader drops or cuts the sample", "it is not trained on, in silence", "no"
    ),
    "no-seconds": Kind(
        "samples", "videos without second_per_grid_ts", "Qwen2.5-VL takes a rate of its own", "with --from-sources"
    ),
    "bad-seconds": Kind(
        "samples",
        "second_per_grid_ts is not one number above 0 for each video",
        "the sample is dropped, or its times are wrong",
        "with --from-sources",
    ),
    "half-seconds": Kind(
        "samples",
        "second_per_grid_ts is 1 / fps, where the model means 2 / fps",
        "Qwen2.5-VL takes videos for twice as fast as they are",
        "yes",
    ),
    "other-seconds": Kind(
        "samples",
        "second_per_grid_ts is not 2 / fps of the source",
        "Qwen2.5-VL takes videos for faster or slower than they are",
        "with --from-sources",
    ),
    "re-encoded": Kind(
        "pictures",
        "encoded anew by the script that wrote them (JPEG, quality 100, chroma halved)",
        "what a second encoding loses, in larger files",
        "with --from-sources",
    ),
    "colours-swapped": Kind(
        "samples", "red and blue are swapped", "the model learns wrong colours", "with --from-sources"
    ),
    "colours-untold": Kind(
        "samples",
        "whether red and blue are swapped cannot be told without the sources",
        "the original script swaps them in every picture; then the model learns wrong colours",
        "with --from-sources",
    ),
}


class UnreadableSample(ToolkitError):
    """A sample of which no conversation can be read; its code is one of `FINDINGS`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(slots=True)
class Finding:
    """Something wrong: how often, and where first."""

    code: str
    count: int
    example: str

    @property
    def kind(self) -> Kind:
        """Its row of the list."""
        return FINDINGS[self.code]

    def as_dict(self) -> dict[str, Any]:
        """For a machine."""
        kind = self.kind
        return {
            "code": self.code,
            "count": self.count,
            "of": kind.of,
            "what": kind.what,
            "effect": kind.effect,
            "repair": kind.repair,
            "example": self.example,
        }


class Findings:
    """Counts findings by code; the first of each is its example."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def add(self, code: str, example: str, count: int = 1) -> None:
        """Note one more."""
        known = self._found.setdefault(code, Finding(code, 0, example))
        known.count += count

    def __contains__(self, code: str) -> bool:
        return code in self._found

    def __iter__(self) -> Iterator[Finding]:
        """In the order of the list."""
        return (self._found[code] for code in FINDINGS if code in self._found)
