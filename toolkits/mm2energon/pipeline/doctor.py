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
Watch = Callable[[FoundSample, "Chat | None"], None]


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

    @property
    def by_original(self) -> bool:
        """Whether everything about it is as the original script writes it."""
        return self.written_by == "the original script"

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


class _Look:
    """Looks at one sample after another."""

    def __init__(self, found: Examination, findings: Findings, sources: Sources | None, watch: Watch | None) -> None:
        self._found = found
        self._findings = findings
        self._sources = sources
        self._watch = watch
        self._keys: set[str] = set()
        self._others = 0
        self._by_webdataset = True
        self._re_encoded = self._re_encoded_samples = 0
        self._example = ""
        #: Samples with seconds for their videos, and how many of these the sources did not judge; the first of them.
        self._unjudged: list[str] = []
        self._unjudged_count = 0

    def at_tar(self, tar: FoundTar) -> None:
        """Look at a tar that has been read."""
        if tar.broken:
            self._findings.add("broken-shard", f"{tar.name}: {tar.broken}")
        for member in tar.odd:
            self._findings.add("odd-member", member)
        if (fault := tar.idx_fault()) is not None:
            self._findings.add(*fault)
        self._by_webdataset = self._by_webdataset and tar.by_webdataset
        tar.offsets.clear()  # of all shards, they would fill the memory

    def at(self, sample: FoundSample) -> None:
        """Look at a sample."""
        self._found.samples += 1
        for code, example in key_faults(sample):
            self._findings.add(code, f"{sample}: {example}")
        if sample.key in self._keys:
            self._findings.add("repeated-key", str(sample))
        self._keys.add(sample.key)
        chat = None
        try:
            if self._found.metadata.config is None and self._found.target is None and is_chat(sample, None):
                self._found.target = TARGETS["pai-v2" if "mp4s" in sample.parts else "pai-v1"]
            if is_chat(sample, self._found.target) or sample.cut_off:
                chat = read_chat(sample, self._found.target)
                self._at_chat(sample, chat)
            else:
                self._others += 1
        except UnreadableSample as error:
            if not sample.cut_off:  # that is said of its tar
                self._findings.add(error.code, str(error))
        if self._watch is not None:
            self._watch(sample, chat)

    def _at_chat(self, sample: FoundSample, chat: Chat) -> None:
        for code, example in chat.faults:
            self._findings.add(code, example if str(sample) in example else f"{sample}: {example}")
        self._found.pictures += chat.pictures
        self._re_encoded += chat.re_encoded
        self._re_encoded_samples += chat.re_encoded > 0
        self._example = self._example or (str(sample) if chat.re_encoded else "")
        judged = self._sources is not None and self._compare(self._sources, sample, chat)
        sound = not {"no-seconds", "bad-seconds"} & {code for code, _ in chat.faults}
        if chat.media.videos and sound and not judged:
            self._unjudged = self._unjudged or [f"{sample}: {list(chat.media.second_per_grid_ts)[:4]}"]
            self._unjudged_count += 1

    def _compare(self, sources: Sources, sample: FoundSample, chat: Chat) -> bool:
        """Compare a sample with its source; whether there is one."""
        if not chat.pictures:
            return False
        self._found.compared += 1
        try:
            match = sources.match(sample.key, chat)
        except Undecided as error:
            if chat.re_encoded and not self._is_ours:
                self._findings.add("colours-untold", str(error))
            return False
        self._found.decided += 1
        if match.colours == "swapped":
            self._findings.add("colours-swapped", str(sample))
        code = "" if self._asked_for_halves else seconds_fault(chat, match.media.second_per_grid_ts)
        if code:
            stored, meant = list(chat.media.second_per_grid_ts)[:4], list(match.media.second_per_grid_ts)[:4]
            self._findings.add(code, f"{sample}: {stored}, {meant} was expected")
        return True

    def sum_up(self) -> None:
        """What can be said only of the whole."""
        found = self._found
        chats = found.samples - self._others
        if found.metadata.manifest:
            found.written_by = "mm2energon"
        elif chats and not self._others and self._by_webdataset and self._re_encoded == found.pictures:
            found.written_by = "the original script"
        if self._others:
            found.notes.append(
                f"{self._others} samples hold no pickled lists of pictures: of these, tars and indexes alone were "
                f"looked at; mm2energon verify {found.root} reads the rest of what mm2energon wrote"
            )
        self._sum_up_pictures()
        self._sum_up_seconds()

    @property
    def _is_ours(self) -> bool:
        """Whether mm2energon took all pictures from their sources."""
        manifest = self._found.metadata.manifest
        return bool(manifest) and not _mapping(manifest.get("repaired")).get("re_encoded")

    @property
    def _asked_for_halves(self) -> bool:
        return bool(option(self._found.metadata, "second_per_grid_ts") == "pai")

    def _sum_up_pictures(self) -> None:
        found, re_encoded = self._found, self._re_encoded
        if self._is_ours or not re_encoded:
            return
        if found.written_by == "others":
            found.notes.append(
                f"{re_encoded} of {found.pictures} pictures, such as in {self._example}, are as the original script "
                "encodes them anew, with red and blue swapped: --from-sources tells"
            )
            return
        self._findings.add("re-encoded", self._example, re_encoded)
        if self._sources is None:
            self._findings.add("colours-untold", self._example, self._re_encoded_samples)

    def _sum_up_seconds(self) -> None:
        """Say what the seconds are that no source judged."""
        if not self._unjudged_count:
            return
        example, metadata = self._unjudged[0], self._found.metadata
        if self._found.by_original:
            self._findings.add("half-seconds", example, self._unjudged_count)
        elif self._asked_for_halves:
            self._found.notes.append("second_per_grid_ts is 1 / fps, as --second-per-grid-ts pai asked for")
        elif not metadata.manifest or option(metadata, "second_per_grid_ts") == AS_FOUND:
            self._found.notes.append(
                f"second_per_grid_ts of {self._unjudged_count} samples, such as {example}, may be 1 / fps or 2 / fps: "
                "--from-sources tells"
            )


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
