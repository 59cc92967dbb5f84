"""Doctor: look at a dataset, whoever wrote it, and say what is wrong with it; nothing is written, nothing unpickled."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon.pipeline.doctor_findings import Finding, Findings, UnreadableSample
from mm2energon.pipeline.doctor_metadata import FoundMetadata, check_counts, read_metadata
from mm2energon.pipeline.doctor_records import Chat, is_chat, is_positive, key_faults, read_chat
from mm2energon.pipeline.doctor_sources import Sources, Undecided
from mm2energon.pipeline.doctor_tars import FoundSample, FoundTar
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.targets import TARGETS, Target

#: By how much a stored number may differ from the one that is meant.
_SAME = 0.01
#: What a manifest says of seconds that were taken over from a dataset of which nothing is known.
AS_FOUND = "as found"

#: Is told of every sample, in order, with its conversation where it has one that can be read.
Watch = Callable[[FoundSample, "Chat | None", FoundMetadata], None]


@dataclass
class Examination:
    """What was looked at, and what is wrong with it."""

    root: Path
    #: Who wrote it: mm2energon, the original script, or others.
    written_by: str = "others"
    #: The reader that its dataset.yaml names, or, without one, the first that its parts suit.
    target: Target | None = None
    shards: int = 0
    samples: int = 0
    pictures: int = 0
    #: Samples that were compared with their sources, and of which it could be told how their colours lie.
    compared: int = 0
    decided: int = 0
    findings: list[Finding] = field(default_factory=list)
    #: What could not be looked at, or may be meant so.
    notes: list[str] = field(default_factory=list)
    metadata: FoundMetadata = field(default_factory=FoundMetadata)

    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {finding.code for finding in self.findings}

    def as_dict(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "dataset": str(self.root),
            "written_by": self.written_by,
            "target": None if self.target is None else self.target.name,
            "shards": self.shards,
            "samples": self.samples,
            "pictures": self.pictures,
            "compared_with_sources": self.compared,
            "decided_by_sources": self.decided,
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": self.notes,
        }


def examine(
    root: Path, *, sources: Sources | None = None, watch: Watch | None = None, progress: ProgressMaker = silent
) -> Examination:
    """Look at a dataset.

    Args:
        sources: what it was made from, to compare with.
        watch: is told of every sample.

    Raises:
        InputError: there is no folder, or no tar in it.
    """
    findings = Findings()
    found = Examination(root)
    found.metadata = read_metadata(root, findings, found.notes)
    found.target = found.metadata.target
    found.shards = len(found.metadata.tars)
    look = _Look(found, findings, sources, watch)
    bar = progress("shards", found.shards)
    tars: dict[str, FoundTar] = {}
    for name in found.metadata.tars:
        tars[name] = tar = FoundTar(root, name)
        for sample in tar.samples():
            look.at(sample)
        look.at_tar(tar)
        bar.update(1)
    bar.close()
    check_counts(found.metadata, tars, findings)
    look.sum_up()
    found.findings = list(findings)
    return found


@dataclass
class _Tally:
    """How many, and the first of them."""

    count: int = 0
    example: str = ""

    def add(self, example: str, count: int = 1) -> None:
        self.example = self.example or example
        self.count += count


class _Look:
    """Looks at one sample after another."""

    def __init__(self, found: Examination, findings: Findings, sources: Sources | None, watch: Watch | None) -> None:
        self._found = found
        self._findings = findings
        self._sources = sources
        self._watch = watch
        self._keys: set[str] = set()
        #: Samples that are read as conversations and have pictures; those of them that the original script wrote.
        self._pictured = self._originals = 0
        self._not_read = 0
        #: Samples, and pictures, that went through the original script; pictures that merely look like it.
        self._suspects, self._suspect_pictures, self._alike = _Tally(), _Tally(), _Tally()
        #: Samples whose seconds no source judged: of the original script, and others.
        self._halves, self._unjudged = _Tally(), _Tally()

    def at_tar(self, tar: FoundTar) -> None:
        """Look at a tar that has been read."""
        if tar.broken:
            self._findings.add("broken-shard", f"{tar.name}: {tar.broken}")
        for member in tar.odd:
            self._findings.add("odd-member", member)
        if (fault := tar.idx_fault()) is not None:
            self._findings.add(*fault)
        tar.offsets.clear()  # of all shards, they would fill the memory

    def at(self, sample: FoundSample) -> None:
        """Look at a sample."""
        self._found.samples += 1
        for code, example in key_faults(sample):
            self._findings.add(code, f"{sample}: {example}")
        if sample.key in self._keys:
            self._findings.add("repeated-key", str(sample))
        self._keys.add(sample.key)
        chat = None if sample.cut_off else self._chat(sample)
        if chat is not None:
            self._at_chat(sample, chat)
        if self._watch is not None:
            self._watch(sample, chat, self._found.metadata)

    def _chat(self, sample: FoundSample) -> Chat | None:
        found = self._found
        if found.metadata.config is None and found.target is None and is_chat(sample, None):
            found.target = TARGETS["pai-v2" if "mp4s" in sample.parts else "pai-v1"]
        if not is_chat(sample, found.target):
            self._not_read += 1
            return None
        try:
            return read_chat(sample, found.target)
        except UnreadableSample as error:
            self._findings.add(error.code, str(error))
            return None

    def _at_chat(self, sample: FoundSample, chat: Chat) -> None:
        for code, example in chat.faults:
            self._findings.add(code, example if str(sample) in example else f"{sample}: {example}")
        self._found.pictures += chat.pictures
        self._pictured += chat.pictures > 0
        self._originals += chat.by_original
        if is_suspect(chat, self._found.metadata):
            self._suspects.add(str(sample))
            self._suspect_pictures.add(str(sample), chat.re_encoded)
        elif chat.re_encoded:
            self._alike.add(str(sample), chat.re_encoded)
        judged = self._sources is not None and self._compare(self._sources, sample, chat)
        sound = not {"no-seconds", "bad-seconds"} & {code for code, _ in chat.faults}
        if chat.media.videos and sound and not judged:
            tally = self._halves if chat.by_original else self._unjudged
            tally.add(f"{sample}: {list(chat.media.second_per_grid_ts)[:4]}")

    def _compare(self, sources: Sources, sample: FoundSample, chat: Chat) -> bool:
        """Compare a sample with its source; whether there is one."""
        if not chat.pictures:
            return False
        self._found.compared += 1
        try:
            match = sources.match(sample.key, chat)
        except Undecided as error:
            if is_suspect(chat, self._found.metadata):
                self._findings.add("colours-untold", str(error))
            return False
        self._found.decided += 1
        if match.colours == "swapped":
            self._findings.add("colours-swapped", str(sample))
        code = "" if asked_for_halves(self._found.metadata) else seconds_fault(chat, match.media.second_per_grid_ts)
        if code:
            stored, meant = list(chat.media.second_per_grid_ts)[:4], list(match.media.second_per_grid_ts)[:4]
            self._findings.add(code, f"{sample}: {stored}, {meant} was expected")
        return True

    def sum_up(self) -> None:
        """What can be said only of the whole."""
        found = self._found
        if found.metadata.manifest:
            found.written_by = "mm2energon"
        elif self._originals:
            found.written_by = "the original script" + (", in part" if self._originals < self._pictured else "")
        if self._not_read:
            found.notes.append(
                f"{self._not_read} samples hold no pickled lists of pictures: of these, tars and indexes alone were "
                f"looked at; mm2energon verify {found.root} reads the rest of what mm2energon wrote"
            )
        if self._suspects.count:
            self._findings.add("re-encoded", self._suspect_pictures.example, self._suspect_pictures.count)
            if self._sources is None:
                self._findings.add("colours-untold", self._suspects.example, self._suspects.count)
        if self._alike.count and not found.metadata.manifest:
            found.notes.append(
                f"{self._alike.count} pictures, such as in {self._alike.example}, look as if the original script had "
                "encoded them, with red and blue swapped: --from-sources tells"
            )
        self._sum_up_seconds()

    def _sum_up_seconds(self) -> None:
        """Say what the seconds are that no source judged."""
        notes, metadata, unjudged = self._found.notes, self._found.metadata, self._unjudged
        if self._halves.count:
            self._findings.add("half-seconds", self._halves.example, self._halves.count)
        if not unjudged.count:
            return
        if asked_for_halves(metadata):
            notes.append("second_per_grid_ts is 1 / fps, as --second-per-grid-ts pai asked for")
        elif not metadata.manifest or option(metadata, "second_per_grid_ts") == AS_FOUND:
            notes.append(
                f"second_per_grid_ts of {unjudged.count} samples, such as {unjudged.example}, may be 1 / fps or "
                "2 / fps: --from-sources tells"
            )


def is_suspect(chat: Chat, metadata: FoundMetadata) -> bool:
    """Whether the original script encoded the pictures of a sample, with red and blue swapped.

    In a dataset that was repaired without its sources, the pictures that look like it are those.
    """
    kept = _mapping(metadata.manifest.get("repaired")).get("re_encoded")
    return chat.by_original or bool(kept and chat.re_encoded)


def asked_for_halves(metadata: FoundMetadata) -> bool:
    """Whether second_per_grid_ts is 1 / fps because an option said so."""
    return bool(option(metadata, "second_per_grid_ts") == "pai")


def option(metadata: FoundMetadata, name: str) -> Any:
    """An option of the run that wrote a dataset of ours; None where nothing is known of it."""
    return _mapping(metadata.manifest.get("options")).get(name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def seconds_fault(chat: Chat, meant: Sequence[float]) -> str:
    """The code of what is wrong with seconds that are known; empty when they are right."""
    stored = list(chat.media.second_per_grid_ts)
    if len(stored) != len(meant) or not all(map(is_positive, stored)):
        return ""  # said already
    if all(math.isclose(one, other, rel_tol=_SAME) for one, other in zip(stored, meant, strict=True)):
        return ""
    halves = all(math.isclose(2 * one, other, rel_tol=_SAME) for one, other in zip(stored, meant, strict=True))
    return "half-seconds" if halves else "other-seconds"
