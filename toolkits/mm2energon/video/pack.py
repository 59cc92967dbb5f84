"""Pack: the frames of a video in one file, on their way into shards.

    <name>.jpegs    the JPEG files, one behind the other
    <name>.json     the sidecar, which tells their sizes; written last

A pack stands in for a folder of frames beside the video: the same frames, the same sidecar, and no file for each. Its
name comes from the folder that it stands in for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mm2energon.errors import MediaError
from mm2energon.roots import name_from
from mm2energon.stopwatch import Stopwatch
from mm2energon.storage import naming, temporary_file, write_whole
from mm2energon.video.encode import WHOLE_VIDEOS, Allowance, FrameOptions, encode_frames
from mm2energon.video.layout import SIDECAR_VERSION
from mm2energon.video.places import choose_place, is_own, load_sidecar
from mm2energon.video.streams import file_facts

#: Packs that are open at the same time: samples of one video mostly stand together.
_OPEN_PACKS = 32


def pack_frames(
    video: Path,
    options: FrameOptions,
    pack: Path,
    *,
    threads: int,
    watch: Stopwatch,
    allowance: Allowance = WHOLE_VIDEOS,
    by_size: bool = False,
) -> Mapping[str, Any]:
    """The sidecar of a video's frames, which are in the pack afterwards; nothing is done when they are already.

    Args:
        pack: path of the pack, without its endings.
        by_size: as of `Packs`.
        threads, watch, allowance: as of `encode_frames`.

    Raises:
        MediaError: as `encode_frames`.
        OSError: the folder of the pack cannot be written to, or is full.
    """
    about = read_pack(video, options, pack, allowance, by_size=by_size)
    if about is not None and holds_frames(pack, about):
        return about
    facts = file_facts(video)  # before the first read: a file that grows meanwhile is found changed at the next run
    pack.parent.mkdir(parents=True, exist_ok=True)
    with naming(pack.parent), _PackSink(pack) as sink:
        encoded = encode_frames(video, options, sink, threads=threads, watch=watch, allowance=allowance)
        with watch.time("write"):
            sink.finish(encoded.frame_bytes)
    about = encoded.sidecar(video, options) | {"source_bytes": facts.st_size, "source_mtime_ns": facts.st_mtime_ns}
    with write_whole(_about(pack)) as file:
        file.write(json.dumps(about).encode())
    return about


@dataclass(frozen=True, slots=True)
class Packs:
    """The packs of the videos below a dataset root, by the paths of the videos relative to it."""

    root: Path
    folder: Path
    options: FrameOptions
    allowance: Allowance = WHOLE_VIDEOS
    #: A video is known again by its size alone: what is here of one in a store has the time when it came.
    by_size: bool = False

    def pack_of(self, video: str) -> Path:
        """Where the pack of a video belongs.

        Raises:
            MediaError: `bad-sidecar` its frames would find no place beside it, and so no name.
        """
        return self.folder / _pack_name(self.frames_of(video))

    def frames_of(self, video: str) -> str:
        """The folder of frames that the pack of a video stands in for.

        Raises:
            MediaError: as `pack_of`.
        """
        return name_from(self.root, choose_place(self.root / video).folder)

    def read(self, video: str) -> Mapping[str, Any] | None:
        """The sidecar of a video's pack, made by these options; None when there is none."""
        pack = self.pack_of(video)
        return read_pack(self.root / video, self.options, pack, self.allowance, by_size=self.by_size)


def _pack_name(folder: str) -> str:
    """The name of the pack that stands in for a folder of frames; its path is relative to the dataset root."""
    return hashlib.sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_pack(
    video: Path, options: FrameOptions, pack: Path, allowance: Allowance, *, by_size: bool = False
) -> Mapping[str, Any] | None:
    """The sidecar of a pack that was made of this video by these options; its frames may be gone."""
    about = _load_about(pack)
    if about is None or about["version"] != SIDECAR_VERSION or about["options"] != asdict(options):
        return None
    if about.get("partial") is not None and not allowance.keep_partial:
        return None
    try:
        facts = file_facts(video)
    except MediaError:
        return None
    same_time = by_size or about.get("source_mtime_ns") == facts.st_mtime_ns
    return about if same_time and about.get("source_bytes") == facts.st_size else None


def _load_about(pack: Path) -> Mapping[str, Any] | None:
    """The sidecar of a pack, whatever it was made of; None when there is none, or a damaged one."""
    about = load_sidecar(_about(pack))
    if not is_own(about) or not isinstance(about["times"], list):
        return None
    sizes = about.get("frame_bytes")
    is_sound = isinstance(sizes, list) and all(type(size) is int and size > 0 for size in sizes)
    return dict(about) if is_sound and len(sizes) == len(about["times"]) else None


def holds_frames(pack: Path, about: Mapping[str, Any]) -> bool:
    """Whether the frames themselves are there, too."""
    try:
        return bool(_frames(pack).stat().st_size == sum(about["frame_bytes"]))
    except FileNotFoundError:
        return False


def is_packed(packs: Path, folder: str) -> bool:
    """Whether a pack stands in for a folder of frames, whose path is relative to the dataset root."""
    return _about(packs / _pack_name(folder)).is_file()


def forget_frames(folder: Path) -> None:
    """Remove the frames of all packs in a folder; the sidecars stay, and tell a later run that nothing has changed."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if path.suffix != ".json" or path.name.startswith("."):
            path.unlink(missing_ok=True)


class PackReader:
    """Reads frames out of the packs in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[IO[bytes], list[int]] | None] = {}
        self._files = ExitStack()

    def read(self, path: str) -> bytes | None:
        """The frame that stands in for the file `path` (relative to the dataset root); None when no pack holds it."""
        folder, _, name = path.rpartition("/")
        if folder not in self._open:
            if len(self._open) >= _OPEN_PACKS:
                self._files.close()
                self._open.clear()
            self._open[folder] = self._opened(folder)
        opened = self._open[folder]
        stem = PurePosixPath(name).stem
        if opened is None or not stem.isdecimal() or not 0 < int(stem) < len(opened[1]):
            return None
        file, offsets = opened
        begin, end = offsets[int(stem) - 1 : int(stem) + 1]
        file.seek(begin)
        return file.read(end - begin)

    def _opened(self, folder: str) -> tuple[IO[bytes], list[int]] | None:
        pack = self._folder / _pack_name(folder)
        about = _load_about(pack)
        if about is None:
            return None
        with suppress(FileNotFoundError):
            file = self._files.enter_context(_frames(pack).open("rb"))
            return file, [0, *accumulate(about["frame_bytes"])]
        return None


class _PackSink:
    """Frames go behind one another into a file for each part; the files become one in the end."""

    def __init__(self, pack: Path) -> None:
        self._pack = pack
        self._parts: dict[int, IO[bytes]] = {}
        self._files = ExitStack()

    def __enter__(self) -> _PackSink:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def put(self, part: int, _number: int, _count: int, data: bytes) -> None:
        """Append a frame to its part."""
        if part not in self._parts:
            self._parts[part] = self._files.enter_context(temporary_file(self._pack.parent))
        self._parts[part].write(data)

    def clear(self) -> None:
        """Take away what was written."""
        self._parts.clear()
        self._files.close()

    def finish(self, frame_bytes: tuple[int, ...]) -> None:
        """Make one file of the parts, on the disk under the name of the pack.

        Raises:
            OSError: the file is not what was written to it.
        """
        first = self._parts[0]
        for part in sorted(self._parts)[1:]:
            self._parts[part].flush()
            with Path(self._parts[part].name).open("rb") as rest:
                shutil.copyfileobj(rest, first, 1 << 20)
        first.flush()
        os.fsync(first.fileno())
        if os.fstat(first.fileno()).st_size != sum(frame_bytes):
            raise OSError(5, "was written to by another process", first.name)
        Path(first.name).replace(_frames(self._pack))


def _frames(pack: Path) -> Path:
    return pack.with_name(f"{pack.name}.jpegs")


def _about(pack: Path) -> Path:
    return pack.with_name(f"{pack.name}.json")
