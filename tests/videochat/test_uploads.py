"""Uploads: all of what is sent, or nothing; and names that are names."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.uploads import digest_of, receive, shown_name


async def pieces(data: bytes, size: int, fault: Exception | None = None) -> AsyncIterator[bytes]:
    for first in range(0, len(data), size):
        yield data[first : first + size]
    if fault is not None:
        raise fault


@pytest.mark.parametrize("size", [7, 1 << 16, 3 << 20])
def test_what_is_sent_is_written_whatever_its_pieces(tmp_path: Path, size: int) -> None:
    data = bytes(range(251)) * (12_000 if size > 7 else 3)
    found = asyncio.run(receive(pieces(data, size), tmp_path / "v", most_bytes=len(data)))
    assert (tmp_path / "v").read_bytes() == data
    assert (found.bytes, found.digest) == (len(data), hashlib.sha256(data).hexdigest())
    assert digest_of(tmp_path / "v") == found.digest


def test_too_much_nothing_and_what_is_cut_off_leave_no_file(tmp_path: Path) -> None:
    for sent, error in (
        (pieces(b"x" * 101, 10), InputError),
        (pieces(b"", 10), InputError),
        (pieces(b"x" * 50, 10, ConnectionError()), ConnectionError),
    ):
        with pytest.raises(error):
            asyncio.run(receive(sent, tmp_path / "v", most_bytes=100))
        assert list(tmp_path.iterdir()) == []


def test_a_sender_who_falls_silent_is_given_up(tmp_path: Path) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(600)

    with pytest.raises(InputError, match=r"nothing came for 0\.05 s"):
        asyncio.run(receive(silent(), tmp_path / "v", most_bytes=100, stall_seconds=0.05))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        asyncio.run(receive(pieces(b"x", 1), tmp_path / "v", most_bytes=100))
    assert (tmp_path / "v").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../../etc/passwd", "passwd"),
        ("C:\\films\\ein Film.mov", "ein Film.mov"),
        ("folder/", "folder"),
        ("", "video"),
        ("   ", "video"),
        ("..", "video"),
        ("///", "video"),
        ("a\0b\r\nc.mp4", "a\\x00b\\r\\nc.mp4"),
        ("\u202egpj.mp4", "\\u202egpj.mp4"),
        ("e\u0301.mp4", "é.mp4"),
        ("\ud800.mp4", "?.mp4"),
        ("<script>.mp4", "<script>.mp4"),
        ("x" * 500 + ".webm", "x" * 112 + "....webm"),
        ("x" * 500, "x" * 117 + "..."),
    ],
)
def test_a_name_is_a_name_that_people_can_read_and_no_path(written: str, shown: str) -> None:
    assert shown_name(written) == shown
