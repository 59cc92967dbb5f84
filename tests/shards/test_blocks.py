"""Tests of writing in blocks: the file holds the pieces, whichever way the system takes them."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.shards import blocks
from mm2energon.shards.blocks import BLOCK_BYTES, BlockWriter

MIB = 1 << 20
SIZES = st.integers(0, 5000) | st.sampled_from([MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 5]) | st.integers(0, 3 * MIB)


def pieces_of(sizes):
    return [os.urandom(size) for size in sizes]


def write(path, pieces):
    with path.open("wb") as file:
        writer = BlockWriter(file)
        try:
            writer.write(pieces)
            writer.finish()
        finally:
            writer.close()
    return writer


@given(st.lists(SIZES, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_file_holds_the_pieces_one_behind_another(tmp_path, sizes):
    pieces = pieces_of(sizes)
    writer = write(tmp_path / "a", pieces)
    assert (tmp_path / "a").read_bytes() == b"".join(pieces)
    assert writer.crc32 == zlib.crc32(b"".join(pieces))


PIECES = pieces_of([700, MIB, 3 * MIB + 17, 0, 5, 2 * MIB, 99_999])


def refuse(*_arguments):
    raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize(
    "how", ["no flag", "flag refused", "first write refused", "later write refused", "part", "slow"]
)
def test_a_system_that_cannot_write_past_its_cache_is_written_to_in_the_ordinary_way(tmp_path, monkeypatch, how):
    system, calls = os.write, []

    def write_some(descriptor, data):
        calls.append(len(data))
        large = len(data) == BLOCK_BYTES
        if large and (how == "first write refused" or (how == "later write refused" and len(calls) > 1)):
            refuse()
        return system(descriptor, data[:4096] if large and how == "part" else data)

    monkeypatch.setattr(os, "write", write_some)
    if how == "no flag":
        monkeypatch.delattr(os, "O_DIRECT", raising=False)
    if how == "flag refused":
        monkeypatch.setattr(fcntl, "fcntl", refuse)
    if how == "slow":
        monkeypatch.setattr(blocks, "_SLOW_SECONDS", 0)
    write(tmp_path / "a", PIECES)
    assert (tmp_path / "a").read_bytes() == b"".join(PIECES)
    assert sum(size == BLOCK_BYTES for size in calls) <= (2 if how == "later write refused" else 1)


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left on device: .*/a"):
        write(tmp_path / "a", PIECES)
