"""Fetch from a site: the video of a page, by yt-dlp, whose every connection the guard of its process judges."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from mm2energon.errors import DependencyError, InputError
from mm2energon.videochat.download import Downloaded, Fetch, shortened, too_large
from mm2energon.videochat.fetch_file import IsPageError
from mm2energon.videochat.uploads import shown_name

#: What a terminal would take for colours.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_MESSAGE = 400


class _TooLargeError(Exception):
    """More was sent than the limit allows."""


def fetch(job: Fetch, page: IsPageError) -> Downloaded:
    """Fetch the video of a page.

    Args:
        page: why the URL itself is none.

    Raises:
        InputError: there is none that may be fetched.
        DependencyError: yt-dlp is missing.
    """
    ytdlp = _import(job, page)
    try:
        with ytdlp.YoutubeDL(_options(job)) as site:
            info = site.extract_info(job.url, download=True)
    except _TooLargeError as error:
        raise too_large(job.url, job.limits.bytes) from error
    except (ytdlp.utils.YoutubeDLError, OSError) as error:
        raise _failed(job, error) from error
    return _found(job, info)


def _import(job: Fetch, page: IsPageError) -> Any:
    # Connections of curl are made in C, where the guard hears nothing of them; plugins are code of anybody.
    sys.modules["curl_cffi"] = None  # type: ignore[assignment]
    os.environ["YTDLP_NO_PLUGINS"] = "1"
    try:
        import yt_dlp
    except ImportError as error:
        raise DependencyError(
            f"{shortened(job.url)}: {page}; the URL of a video file was expected; videos of pages are found by yt-dlp, "
            "which is not installed; run: pip install 'mm2energon[urls]'"
        ) from error
    return yt_dlp


def _options(job: Fetch) -> dict[str, Any]:
    """For one file that needs nothing more done to it; from Python, no settings of the user's own are read."""
    limits = job.limits
    return {
        "format": _format(limits.height),
        "outtmpl": {"default": f"{job.target}.%(format_id)s.%(ext)s"},
        "restrictfilenames": True,
        "noplaylist": True,
        "playlist_items": "1",
        "match_filter": lambda info, *, incomplete=False: _refuse(job, info),
        "progress_hooks": [lambda status: _count(job, status)],
        "max_filesize": limits.bytes,
        "socket_timeout": limits.stall_seconds,
        "retries": 2,
        "fragment_retries": 2,
        "extractor_retries": 1,
        "proxy": "",  # none, whatever the environment says
        "usenetrc": False,
        "cachedir": False,
        "enable_file_urls": False,
        "allow_unplayable_formats": False,
        "ffmpeg_location": str(job.folder / "none"),  # nothing is merged, mended or recorded by other programs
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "js_runtimes": {},
        "nopart": True,
        "continuedl": False,
        "updatetime": False,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "never",
        "logger": _Silent(),
    }


def _format(height: int) -> str:
    """Files of limited height: one with its sound where that is not tiny, else pictures and sound in two."""
    both, small = f"[height<=?{height}][height>=360]", f"[height<=?{height}]"
    return f"b{both}/(bv{small},ba)/bv*{small}/wv*"


def _refuse(job: Fetch, info: dict[str, Any]) -> None:
    """Refuse what a site says is too long, before it is fetched."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        raise InputError(f"{shortened(job.url)}: it is live; a video that has ended was expected")
    duration, most = info.get("duration"), job.limits.duration_seconds
    if isinstance(duration, (int, float)) and duration > most:
        found = f"the video lasts {duration:g} s; at most {most:g} s were expected"
        raise InputError(f"{shortened(job.url)}: {found}; take a shorter one")


def _count(job: Fetch, status: dict[str, Any]) -> None:
    done = status.get("downloaded_bytes") or 0
    if done > job.limits.bytes:
        raise _TooLargeError
    job.note.tell(done, status.get("total_bytes") or status.get("total_bytes_estimate"))


def _found(job: Fetch, info: dict[str, Any] | None) -> Downloaded:
    """The files that were written; those of the first video of a page that has several."""
    entries = [entry for entry in (info or {}).get("entries") or [info] if entry]
    made = [file for entry in entries[:1] for file in entry.get("requested_downloads") or []]
    files = {_kind(file): path for file in made if (path := Path(file["filepath"])).is_file() and path.stat().st_size}
    pictures = files.get("all") or files.get("pictures")
    if pictures is None or pictures.parent != job.folder:
        raise InputError(f"{shortened(job.url)}: nothing was found there to fetch, or it is larger than the limit")
    sound = None if "all" in files else files.get("sound")
    notes = ("the site offered it without sound",) if "all" not in files and sound is None else ()
    size = sum(path.stat().st_size for path in (pictures, sound) if path is not None)
    if size > job.limits.bytes:
        raise too_large(job.url, job.limits.bytes)
    name = shown_name(str(entries[0].get("title") or "").replace("/", " "))
    return Downloaded(pictures.rename(job.target), name, size, sound, notes)


def _kind(file: dict[str, Any]) -> str:
    """What a file holds, as far as the site says."""
    if file.get("acodec") == "none":
        return "pictures"
    return "sound" if file.get("vcodec") == "none" else "all"


def _failed(job: Fetch, error: Exception) -> InputError:
    text = _COLOURS.sub("", str(error)).removeprefix("ERROR: ").split("; please report")[0]
    if "File too large" in text:
        return too_large(job.url, job.limits.bytes)
    return InputError(f"{shortened(job.url)}: no video could be fetched ({text[:_LONGEST_MESSAGE]}); check the URL")


class _Silent:
    """Takes what yt-dlp would print; an error comes as one."""

    def debug(self, text: str) -> None:
        """Nothing."""

    def info(self, text: str) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """Nothing."""

    def error(self, text: str) -> None:
        """Nothing."""
