"""What shards were made from, read again: each entry as the sample and the bytes that `shard` would write of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, MediaError, SampleError
from mm2energon.jsonio import Entry, loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.annotations import entries_of
from mm2energon.pipeline.extract import Extraction, extract_all
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.media_reader import MediaReader
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.output import packs_of
from mm2energon.pipeline.planned import passes
from mm2energon.pipeline.prepare import Prepared, mended_sample, prepare
from mm2energon.remote import Place, is_there
from mm2energon.roots import inside_root
from mm2energon.sample import Sample
from mm2energon.shards.records import Media, make_record
from mm2energon.targets import Target
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.pack import Packs, read_pack
from mm2energon.video.places import load_sidecar
from mm2energon.video.sampling import Sampling

#: What extracting one video again may cost.
_LIMITS = Limits(seconds=3600.0, memory_bytes=4 << 30)
#: A video may have been taken up to its fault; what the shards hold of it says whether it was.
_ALLOWANCE = Allowance(keep_partial=True)
#: Entries whose videos are extracted together.
_BATCH = 256


@dataclass(frozen=True)
class Sources:
    """What a dataset was made from."""

    root: Path
    #: The annotation files, as `shard` read them.
    annotations: tuple[Place, ...]
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one entry should have become."""

    origin: str
    #: None: the entry is malformed.
    sample: Sample | None = None
    #: None: its media cannot be had now, and `refused` says why.
    media: Media | None = None
    text: Mapping[str, Any] | None = None
    #: Whether each image, and each frame of each video, is in the shard byte for byte.
    exact: tuple[tuple[bool, ...], ...] = ()
    prepared: Prepared | None = None
    refused: str = ""
    #: Videos of it that were extracted again.
    extracted: int = 0


class _KnownPacks(Packs):
    """Packs by whatever options they were made, of which the sidecars are left."""

    def read(self, video: str) -> Mapping[str, Any] | None:
        """The sidecar of a video's pack."""
        options = self.options_of(video)
        return None if options is None else read_pack(self.root / video, options, self.pack_of(video), self.allowance)

    def options_of(self, video: str) -> FrameOptions | None:
        """The options by which the pack of a video was made; None where there is none."""
        pack = self.pack_of(video)
        about = load_sidecar(pack.with_name(f"{pack.name}.json"))
        try:
            options = dict(about["options"])
            return FrameOptions(**{**options, "sampling": Sampling(**options["sampling"])})
        except (TypeError, KeyError, ValueError, InputError):
            return None


class SourceReader:
    """Reads entries as `shard` does, by the options that the manifest of its output notes."""

    def __init__(
        self, sources: Sources, shards: Path, *, layout: Target, options: Mapping[str, Any], workers: int
    ) -> None:
        """
        Args:
            shards: the folder of the shards, in which is known by which options frames were extracted into them.
            layout: the target that they were written for.

        Raises:
            InputError: there are no such files, or no such options.
        """
        root = sources.root.resolve()
        if not root.is_dir():
            raise InputError(f"--against {sources.root}: no such folder; the dataset root of shard was expected")
        for path in sources.annotations:
            if not is_there(path):
                raise InputError(f"--json {path}: no such file; what shard read was expected")
        self._root, self._annotations, self._layout, self._workers = root, sources.annotations, layout, workers
        self._further = sources.further
        names = Mending.__dataclass_fields__
        self._mending = Mending(**{name: options[name] for name in names if name in options})
        self._min_side = layout.rules.min_side if self._mending.enlarge_small_images else 1
        self._pai_seconds = options.get("second_per_grid_ts") == "pai"
        self._default_fps = options.get("default_fps")
        self._packs = _KnownPacks(root, packs_of(shards), FrameOptions(Sampling(interval_seconds=0.5)), _ALLOWANCE)

    def wanted(self) -> Iterator[Wanted]:
        """Each entry, in order."""
        entries = self._entries()
        while batch := list(islice(entries, _BATCH)):
            yield from self._read_batch(batch)

    def wanted_of(self, origins: Iterable[str]) -> Iterator[Wanted]:
        """Some entries, in order.

        Args:
            origins: theirs, in the order of the file.
        """
        asked = iter(origins)
        origin = next(asked, None)
        batch: list[Entry] = []
        for entry in self._entries():
            if entry.origin == origin:
                batch.append(entry)
                origin = next(asked, None)
            if len(batch) == _BATCH or origin is None:
                yield from self._read_batch(batch)
                batch = []
            if origin is None:
                return

    def _entries(self) -> Iterator[Entry]:
        for entry in entries_of(self._root, self._annotations):
            yield from formats.unwrap(entry)

    def _read_batch(self, batch: list[Entry]) -> Iterator[Wanted]:
        finder = MediaFinder(
            self._root, further=self._further, failures={}, packs=self._packs, default_fps=self._default_fps
        )
        found = [self._found(entry, finder) for entry in batch]
        with tempfile.TemporaryDirectory(prefix="mm2energon-") as folder:
            packs = Path(folder)
            extracted, failures = self._extract([one.prepared for one in found if one.prepared is not None], packs)
            reader = MediaReader(
                self._root,
                min_side=self._min_side,
                pai_seconds=self._pai_seconds,
                packs=packs,
                further=self._further,
            )
            for one in found:
                yield self._with_media(one, reader, extracted, failures)

    def _found(self, entry: Entry, finder: MediaFinder) -> Wanted:
        """An entry with what is known of its media."""
        sample = None
        try:
            sample = mended_sample(entry, target=self._layout, mending=self._mending)
            prepared = prepare(entry, target=self._layout, mending=self._mending, finder=finder)
            return Wanted(entry.origin, sample, prepared=prepared)
        except SampleError as error:
            return Wanted(entry.origin, sample, refused=error.code)

    def _extract(self, prepared: list[Prepared], folder: Path) -> tuple[set[str], dict[str, SampleError]]:
        """Extract the videos again of which the shards alone hold frames; which they are, and those that failed."""
        lacking: dict[FrameOptions, dict[str, None]] = {}
        for one in prepared:
            for video, planned in zip(one.sample.videos, one.media.videos, strict=True):
                if isinstance(video, str) and planned.frames and not (self._root / planned.frames[0].path).exists():
                    name = inside_root(self._root, video, origin=one.sample.origin, further=self._further)
                    if (options := self._packs.options_of(name)) is not None:
                        lacking.setdefault(options, {})[name] = None
        failures: dict[str, SampleError] = {}
        for options, videos in lacking.items():
            extraction = Extraction(options, max(1, self._workers), _LIMITS, _ALLOWANCE)
            packs = Packs(self._root, folder, options)
            for done in extract_all(self._root, videos, extraction, packs=packs):
                if done.error is not None:
                    failures[done.video] = done.error
        return {video for videos in lacking.values() for video in videos}, failures

    def _with_media(
        self, one: Wanted, reader: MediaReader, extracted: set[str], failures: Mapping[str, SampleError]
    ) -> Wanted:
        if one.prepared is None:
            return one
        sample, planned = one.prepared.sample, one.prepared.media
        try:
            names = [
                inside_root(self._root, video, origin=one.origin, further=self._further)
                if isinstance(video, str)
                else ""
                for video in sample.videos
            ]
            failed = next((failures[name] for name in names if name in failures), None)
            if failed is not None:
                raise failed
            media = reader.read(planned, origin=one.origin)
        except (SampleError, MediaError) as error:
            return Wanted(one.origin, one.sample, prepared=one.prepared, refused=error.code)
        record = make_record(sample, media, self._layout)
        text = record["json"]
        exact = [tuple(passes(picture, self._min_side) for picture in planned.images)]
        for name, video in zip(names, planned.videos, strict=True):
            exact.append(tuple(name not in extracted and passes(frame, self._min_side) for frame in video.frames))
        return Wanted(
            one.origin,
            sample,
            media,
            loads(text if isinstance(text, bytes) else b"".join(text), max_depth=MAX_DEPTH_AROUND),
            tuple(exact),
            one.prepared,
            extracted=sum(name in extracted for name in names),
        )
