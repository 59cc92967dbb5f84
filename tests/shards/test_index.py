"""Tests of a shard's rows on their way through a file."""

from __future__ import annotations

import json

import pytest
from mm2energon.shards.index import index_as_json, index_from_json, unpack_offsets
from mm2energon.shards.writer import ShardWriter


def test_rows_come_back_from_json_as_they_were(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"json": b"{}", "image0.jpg": b"x" * 1000})
        shard.write("00000001", {"json": b"{}"})
    assert index_from_json(json.loads(json.dumps(index_as_json(shard.rows)))) == shard.rows


@pytest.mark.parametrize("content", ["", [], {}, {"samples": [[1, 2]], "end_offset": 1, "file_bytes": 1}, None])
def test_json_of_something_else_is_refused(content):
    with pytest.raises(ValueError):
        index_from_json(content)


def test_a_cut_off_idx_is_refused():
    with pytest.raises(ValueError, match="no whole number"):
        unpack_offsets(bytes(17))
