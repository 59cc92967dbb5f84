"""Settings: what a studio was started with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

#: Names that lead to this machine alone, and what browsers send as the host of such an address.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LEAST_TOKEN_CHARACTERS = 16


@dataclass(frozen=True)
class Settings:
    """What a studio was started with; all paths are resolved."""

    #: An annotation file of any format, a CSV, or a folder of finished shards.
    data: Path
    #: What media paths are relative to; None: the folder of `data`.
    root: Path | None = None
    #: Roots of which media may be named by absolute paths.
    further: tuple[Path, ...] = ()
    reviewers: tuple[str, ...] = ("",)
    #: Name of a row of `TARGETS`, and of `MODELS` (whose tokens are counted).
    target: str = "pai-v1"
    tokens_model: str = "qwen2.5-vl"
    tokenizer: Path | None = None
    #: Seconds between the frames of a video.
    interval_seconds: float = 0.5
    #: The format of the entries; None: told from the content.
    read_as: str | None = None
    category_key: str = "category"
    host: str = "127.0.0.1"
    port: int = 8000
    #: What people log in with; None: nobody is asked.
    token: str | None = field(default=None, repr=False)
    #: Folders below which exports and trained adapters may be written.
    output_roots: tuple[Path, ...] = ()
    #: Where adapters are found, and the model that is tried first: a folder or a name of the hub.
    adapters: Path | None = None
    model: str | None = None
    #: Bytes of one uploaded video, and of all videos from outside together.
    max_upload_bytes: int = 2 << 30
    max_cache_bytes: int = 20 << 30
    #: Where the studio keeps what can be made again: frames, videos from outside.
    cache: Path = field(default_factory=lambda: usual_cache())

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return self.host in LOOPBACK


def usual_cache() -> Path:
    """The folder of a person's caches, as the XDG Base Directory Specification has it."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "mm2energon" / "studio"
