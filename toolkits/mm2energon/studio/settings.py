"""Settings: what a studio was started with."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.videochat.backends.setup import Setup

#: Names by which this machine alone reaches itself, and what browsers then send as the host.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LEAST_TOKEN_CHARACTERS = 16
_TOKEN = re.compile(rf"[!-~]{{{LEAST_TOKEN_CHARACTERS},1024}}")


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
    #: Other names that browsers may ask for it by: those of a proxy in front of it, with the port where it has one.
    names: tuple[str, ...] = ()
    #: What people log in with; None: nobody is asked.
    token: str | None = field(default=None, repr=False)
    #: Folders below which exports and trained adapters may be written.
    output_roots: tuple[Path, ...] = ()
    #: Where adapters are found.
    adapters: Path | None = None
    #: The models that can be tried, and how.
    backends: Setup = field(default_factory=Setup)
    #: Bytes of one uploaded video, and of all videos from outside together.
    max_upload_bytes: int = 2 << 30
    max_cache_bytes: int = 20 << 30
    #: Where the studio keeps what can be made again: frames, videos from outside.
    cache: Path = field(default_factory=lambda: usual_cache())

    @property
    def model(self) -> str | None:
        """The model that is tried first: a folder or a name of the hub."""
        return next(iter(self.backends.models), None)

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @property
    def address(self) -> str:
        """What a browser is given to come here."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def check(self) -> None:
        """Refuse what would let strangers in.

        Raises:
            InputError: others can reach the studio, and no token keeps them out, or one that is soon guessed.
        """
        if not self.host.strip():
            raise InputError("--host: is empty; an address was expected; leave it out for 127.0.0.1")
        if self.token is None and not self.is_loopback:
            raise InputError(
                f"--host {self.host}: lets other machines in, and nothing keeps strangers out; a token was expected; "
                f"give one of {LEAST_TOKEN_CHARACTERS} characters or more by --token-file or MM2ENERGON_STUDIO_TOKEN"
            )
        if self.token is None and self.names:
            raise InputError(
                f"--allow-host {self.names[0]}: lets in whoever reaches it by that name; a token was expected; "
                f"give one of {LEAST_TOKEN_CHARACTERS} characters or more by --token-file or MM2ENERGON_STUDIO_TOKEN"
            )
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise InputError(
                f"--token: {LEAST_TOKEN_CHARACTERS} characters or more of ASCII, without spaces, were expected; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe())'"
            )


def usual_cache() -> Path:
    """The folder of a person's caches, as the XDG Base Directory Specification has it."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "mm2energon" / "studio"
