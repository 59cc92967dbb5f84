"""Media of a sample on its way from one format to another: what its entry names, found on the disk, and reshaped."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.convert_frames import as_images, joined, source_of
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.roots import inside_root, media_file, name_from
from mm2energon.sample import Sample, Video
from mm2energon.storage import write_whole
from mm2energon.video.layout import in_time_order
from mm2energon.video.places import PICTURE_SUFFIXES, VIDEO_SUFFIXES

#: Formats whose videos lack their endings, and those whose videos may be folders of pictures under another name.
_WITHOUT_ENDING = frozenset({"video-instruct"})
_FOLDERS = frozenset({"t2vid-synthetic"})

#: RFC 2397; qwen-vl-utils leaves the subtype out (`data:image;base64,`).
_DATA_URI = re.compile(r"data:([\w.+-]+)(?:/([\w.+-]+))?(?:;[\w=.+-]+)*;base64,", re.ASCII | re.IGNORECASE)
_WHITE = re.compile(r"\s+", re.ASCII)
_ENDINGS = {"octet-stream": "bin", "jpeg": "jpg", "svg+xml": "svg", "x-wav": "wav", "mpeg": "mp3", "quicktime": "mov"}

#: First bytes of files -> their ending; WAVE, WebP and AVI are all RIFF, AVIF and HEIC have the shape of MP4.
_KINDS = {
    **{b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tif", b"MM\0*": "tif"},
    **{b"\x1aE\xdf\xa3": "mkv", b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mp3", b"\xff\xfb": "mp3"},
}
_RIFF_KINDS = {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}
_BRANDS = {b"avif": "avif", b"heic": "heic", b"mif1": "heic", b"M4A ": "m4a", b"qt  ": "mov"}


def reshape(sample: Sample, name: str, how: Reshaping) -> Sample:
    """A sample of the format `name` whose media are files, reshaped as asked.

    Raises:
        MediaError: one of them is missing, or outside the root; a video has no frames.
        SampleError: media that stand in the entry are broken.
    """
    sample = _written_out(sample, how)
    if sample.videos:
        sample = replace(sample, videos=tuple(_found(video, name, how, sample.origin) for video in sample.videos))
    if how.joins_frames and sample.images and not sample.videos:
        sample = joined(sample, how)
    sample = as_images(sample, how) if how.frames is not None and sample.videos else sample
    if how.checks_media:
        _require_media(sample, how)
    return sample


def _require_media(sample: Sample, how: Reshaping) -> None:
    """Refuse a sample of which a medium is not there.

    Raises:
        MediaError: `missing-media`, `outside-root`.
    """
    frames = chain.from_iterable([video] if isinstance(video, str) else video for video in sample.videos)
    for path in (*sample.images, *frames, *sample.audios):
        media_file(how.root, path, origin=sample.origin, further=how.further)


def _written_out(sample: Sample, how: Reshaping) -> Sample:
    """Media that stand in the entry as `data:` URIs become files, named by their content."""

    def written(path: str) -> str:
        return _write_data(path, how, sample.origin) if _is_data(path) else path

    def all_written(video: Video) -> Video:
        return tuple(map(written, video)) if isinstance(video, tuple) else written(video)

    frames = chain.from_iterable([video] if isinstance(video, str) else video for video in sample.videos)
    if not any(map(_is_data, (*sample.images, *frames, *sample.audios))):
        return sample
    images, audios = (tuple(map(written, media)) for media in (sample.images, sample.audios))
    return replace(sample, images=images, videos=tuple(map(all_written, sample.videos)), audios=audios)


def _is_data(path: str) -> bool:
    return path[:5].lower() == "data:"


def _write_data(uri: str, how: Reshaping, origin: str) -> str:
    head = _DATA_URI.match(uri)
    data = _decoded(uri[head.end() :]) if head else b""
    if head is None or not data:
        raise SampleError(
            f"{origin}: {uri[:40]!r} is no medium in base64; data:image/png;base64,... was expected; mend it",
            "bad-media-list",
        )
    kind = (head[2] or "bin").lower()
    return write_medium(data, ending_of(data) or _ENDINGS.get(kind, kind), how)


def _decoded(text: str) -> bytes:
    """The bytes of a base64 text, which may be broken into lines, and lack the padding at its end; empty when it is
    none."""
    text = _WHITE.sub("", unquote(text)).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def write_medium(data: bytes, ending: str, how: Reshaping) -> str:
    """Write a medium that came inside an entry; its path, relative to the root."""
    path = how.media_folder / f"{hashlib.sha256(data).hexdigest()[:32]}.{ending}"
    if not path.is_file() or path.stat().st_size != len(data):
        with write_whole(path) as file:
            file.write(data)
    return name_from(how.root, path)


def ending_of(data: bytes) -> str:
    """What a file should be called by its first bytes; empty where they say nothing."""
    if data.startswith(b"RIFF"):
        return _RIFF_KINDS.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "mp4")
    return next((ending for head, ending in _KINDS.items() if data.startswith(head)), "")


def _found(video: Video, name: str, how: Reshaping, origin: str) -> Video:
    """A video as it is on the disk: a file, or the pictures of a folder; as it was, where nobody needs to know."""
    if isinstance(video, tuple):
        return video
    if name in _WITHOUT_ENDING:
        return _extracted(video, how, origin) or with_ending(video, how.root, origin=origin, further=how.further)
    if name in _FOLDERS:
        return pictures_of(video, how, origin)
    return video


def _extracted(video: str, how: Reshaping, origin: str) -> Video | None:
    """What is left of a video of which only frames are there: its name by their sidecar, or the frames themselves."""
    path = how.root / inside_root(how.root, video, origin=origin, further=how.further)
    if not path.is_dir() or with_endings(path):
        return None
    return source_of(path, how) or pictures_of(video, how, origin)


def as_it_lies(video: str, root: Path, *, origin: str, further: tuple[Path, ...] = ()) -> Video:
    """A video by what is on the disk: its file, where its entry leaves the ending out, or the pictures of its folder.

    Raises:
        MediaError: nothing, or more than one thing, is meant by the name; `outside-root`, `media-url`.
    """
    path = root / inside_root(root, video, origin=origin, further=further)
    if path.is_file() or path.suffix.lower() in VIDEO_SUFFIXES:
        return video
    if path.is_dir() and not with_endings(path):  # a folder beside a video holds the video's frames
        return pictures_of(video, Reshaping(root, root, further=further), origin)
    return with_ending(video, root, origin=origin, further=further)


def with_ending(video: str, root: Path, *, origin: str, further: tuple[Path, ...] = ()) -> str:
    """The path of a video whose entry leaves its ending out.

    Raises:
        MediaError: `missing-media` there is no such video, or there are several.
    """
    path = root / inside_root(root, video, origin=origin, further=further)
    found = with_endings(path)
    if len(found) != 1:
        names = ", ".join(one.name for one in found)
        what = f"is the name of {len(found)} videos ({names})" if found else "is the name of no video"
        raise MediaError(
            f"{origin}: {video!r} {what} below {root}; one was expected; check --dataset-root and the file",
            "missing-media",
        )
    return name_from(root, found[0])


def with_endings(path: Path, *, is_file: Callable[[Path], bool] = Path.is_file) -> list[Path]:
    """The videos that a path without its ending may mean, asked for one by one: their folder may hold any number."""
    if path.suffix.lower() in VIDEO_SUFFIXES and is_file(path):
        return [path]
    endings = (case(ending) for ending in sorted(VIDEO_SUFFIXES) for case in (str.lower, str.upper))
    return [one for ending in endings if is_file(one := path.with_name(path.name + ending))]


def pictures_of(video: str, how: Reshaping, origin: str) -> Video:
    """The pictures of the folder that a video is, in time order; the video itself where it is a file.

    Raises:
        MediaError: `missing-media`, when it is neither; `outside-root`.
    """
    path = how.root / inside_root(how.root, video, origin=origin, further=how.further)
    if path.is_file():
        return video
    for folder in (path, path.with_suffix("")):
        if folder.is_dir():
            pictures = [one for one in folder.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES and one.is_file()]
            if pictures:
                return tuple(name_from(how.root, one) for one in in_time_order(pictures))
    raise MediaError(
        f"{origin}: {video!r} is neither a video nor a folder of pictures below {how.root}; one was expected; "
        "check --dataset-root and the files",
        "missing-media",
    )
