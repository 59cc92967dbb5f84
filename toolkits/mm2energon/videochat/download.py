"""Download: a video that a URL leads to, fetched within limits, in a process that reaches public addresses alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from mm2energon.errors import InputError, MediaError
from mm2energon.pipeline.loop import Limits
from mm2energon.videochat.addresses import Endpoint, parse_url
from mm2energon.videochat.apart import Note, run_apart

#: Address space of the process: pages of sites are read into memory, however large they unpack.
_MEMORY_BYTES = 2 << 30
_SAVED_AS = "source"


@dataclass(frozen=True)
class DownloadLimits:
    """What one download may cost."""

    bytes: int = 2 << 30
    #: Of all of it.
    seconds: float = 1800.0
    #: Without a single byte.
    stall_seconds: float = 30.0
    #: How long the video may be, where a site says it ahead.
    duration_seconds: float = 2 * 3600.0
    #: Lines of a picture, at most, where a site offers several sizes; models see fewer.
    height: int = 720
    redirects: int = 5


@dataclass(frozen=True)
class Fetch:
    """One download, as its process gets it."""

    url: str
    folder: Path
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    #: Endpoints that are open though they are not public: for tests alone, never from an option or the environment.
    allowed: frozenset[Endpoint] = frozenset()

    def __str__(self) -> str:
        return self.url

    @property
    def target(self) -> Path:
        """Where the video goes."""
        return self.folder / _SAVED_AS

    @property
    def note(self) -> Note:
        """Where it is told how much is there."""
        return Note(self.folder / "note")


@dataclass(frozen=True)
class Downloaded:
    """A video that was fetched; what it says of itself is not believed."""

    path: Path
    #: What it is called, by its URL or its site; for people alone, never a path.
    name: str
    bytes: int
    #: Its sound, where a site keeps that in a file of its own.
    sound: Path | None = None
    #: What people should know of it.
    notes: tuple[str, ...] = ()


def download(
    url: str,
    folder: Path,
    *,
    limits: DownloadLimits | None = None,
    told: Callable[[float, float | None], None] = lambda _done, _total: None,
    stop: threading.Event | None = None,
    allowed: Collection[Endpoint] = (),
) -> Downloaded:
    """Fetch the video that a URL leads to: the file itself, or, by yt-dlp where that is installed, that of a page.

    Args:
        folder: a folder of the download's own, which is there; what is left in it after an error is the caller's to
            remove.
        told: is called with the bytes that are there, and how many there will be.
        stop: once it is set, the download ends.
        allowed: endpoints that are open though they are not public: for tests alone.

    Raises:
        InputError: the URL leads to no video that may be fetched.
        CancelledError: it was stopped.
        DependencyError: it leads to a page, and yt-dlp is missing.
    """
    limits = limits or DownloadLimits()
    parse_url(url, allowed=allowed)  # what is wrong with it is known without a process
    job = Fetch(url.strip(), folder, limits, frozenset(allowed))
    process = Limits(seconds=limits.seconds, memory_bytes=_MEMORY_BYTES)
    try:
        return run_apart(fetch, job, limits=process, note=job.note, told=told, stop=stop or threading.Event())
    except MediaError as error:
        raise InputError(f"{shortened(url)}: {error}; try again, or upload the file") from error


def fetch(job: Fetch) -> Downloaded:
    """Do it, in a process that can connect to nothing else from now on.

    Raises:
        InputError, DependencyError: as `download`.
    """
    from mm2energon.videochat import fetch_file, fetch_site
    from mm2energon.videochat.addresses import guard_this_process

    guard_this_process(allowed=job.allowed)
    _limit_files(job.limits.bytes)
    try:
        return fetch_file.fetch(job)
    except fetch_file.IsPageError as page:
        job.target.unlink(missing_ok=True)
        return fetch_site.fetch(job, page)


def _limit_files(most_bytes: int) -> None:
    """Have the system refuse to make any file longer: whatever a library believes of headers."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes + 1, most_bytes + 1))


def too_large(url: str, most_bytes: int) -> InputError:
    """The error for a video that is larger than the limit."""
    return InputError(
        f"{shortened(url)}: the video has more than {most_bytes} bytes; fewer were expected; "
        "take a shorter or smaller one, or raise --max-upload"
    )


def shortened(url: str) -> str:
    """A URL for a message: without its query, which may hold what is secret."""
    text = re.sub(r"[?#].*", "", url.strip(), flags=re.DOTALL)
    return text if len(text) <= 200 else text[:200] + "..."  # noqa: PLR2004 - a line or two
