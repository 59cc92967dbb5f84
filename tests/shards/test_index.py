"""Tests of a shard's rows on their way through a file."""

from __future__ import annotations

import pytest
from mm2energon.shards.index import pack_index, unpack_index, unpack_offsets
from mm2energon.shards.writer import ShardWriter


def test_rows_come_back_from_a_file_as_they_were(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"json": b"{}", "image0.jpg": b"x" * 1000})
        shard.write("00000001", {"json": b"{}"})
    assert unpack_index(pack_index(shard.rows)) == shard.rows


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"[1, 1, [[1, 2]]]", b"[1, 1, 2]", b"[1, 1, [", b"x"])
def test_a_file_of_something_else_is_refused(content):
    with pytest.raises(ValueError):
        unpack_index(content)


def test_a_cut_off_idx_is_refused():
    with pytest.raises(ValueError, match="no whole number"):
        unpack_offsets(bytes(17))
