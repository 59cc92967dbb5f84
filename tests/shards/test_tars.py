"""Tests of reading the headers of tars: those of other writers are understood, hostile ones go no further."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.shards.reader import read_samples, read_shard
from mm2energon.shards.tars import DamagedTarError, RefusedTarError, members, odd_bytes, sample_rows
from mm2energon.shards.writer import ShardWriter

FILES = {"00.jpgs": b"picture" * 100, "00.json": b"{}", "01.json": b"", "02.json": b"x" * 512}


def made(format=tarfile.USTAR_FORMAT, files=FILES, **about) -> bytes:
    """A tar as Python's own library writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in about.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def listed(data: bytes) -> list[tuple[str, int, int, int]]:
    return [tuple(member) for member in members(io.BytesIO(data))]


def listed_by_python(data: bytes) -> list[tuple[str, int, int, int]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [(one.name, one.offset, one.offset_data, one.size) for one in tar if one.isreg()]


LONG = "a/" * 60 + "key.json"


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("files", [FILES, {LONG: b"1", **FILES, "é" * 80 + ".json": b"2"}, {"a/b.json": b"1"}])
def test_files_lie_where_pythons_own_library_sees_them(format, files):
    if format == tarfile.USTAR_FORMAT and LONG in files:
        files = {"b" * 90 + "/" + "k" * 90 + ".json": b"1", **FILES}
    data = made(format, files, mtime=12.5 if format == tarfile.PAX_FORMAT else 12)
    assert listed(data) == listed_by_python(data)


def test_rows_are_those_that_our_writer_notes(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard:
        for number in range(5):
            shard.write(f"{number:08d}", {"jpg": b"x" * number * 200, "json": b"{}"})
    assert sample_rows(tmp_path / "a.tar") == (shard.rows.samples, shard.rows.end_offset)
    assert list(odd_bytes(tmp_path / "a.tar")) == []
    some = [shard.rows.samples[place] for place in (3, 1)]
    assert [key for key, _ in read_samples(tmp_path / "a.tar", some)] == ["00000003", "00000001"]
    assert dict(read_samples(tmp_path / "a.tar", some)) == {
        key: record for key, record in read_shard(tmp_path / "a.tar") if key in ("00000003", "00000001")
    }


KINDS = {
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
    "contiguous": tarfile.CONTTYPE,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_whatever_is_no_plain_file_is_refused(tmp_path, kind):
    (tmp_path / "a.tar").write_bytes(made(files={"00.json": b""}, type=kind, linkname="/etc/passwd"))
    with pytest.raises(RefusedTarError, match="is no plain file"):
        sample_rows(tmp_path / "a.tar")
    with pytest.raises(InputError, match="is no plain file"):
        list(read_shard(tmp_path / "a.tar"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_a_compressed_tar_is_refused_and_not_unpacked(tmp_path, pack):
    (tmp_path / "a.tar").write_bytes(pack(made(files={"00.json": bytes(50 << 20)})))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="is compressed"):
            list(read_shard(tmp_path / "a.tar"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def pax(**records: str) -> bytes:
    """A tar whose one member has these words in front of it."""
    return made(tarfile.PAX_FORMAT, {"00.json": b"{}"}, pax_headers=records)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}), "sparse"),
        (pax(size=str(1 << 40)), "size"),
        (pax(comment="x" * (70 << 10)), "bytes at 512"),
        (made(tarfile.GNU_FORMAT, {"a" * (70 << 10) + ".json": b""}), "are the limit"),
    ],
    ids=["sparse", "size", "long comment", "long name"],
)
def test_headers_that_no_shard_needs_are_refused(tmp_path, data, why):
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(InputError, match=why):
        list(read_shard(tmp_path / "a.tar"))


def test_a_member_that_claims_gigabytes_is_cut_off_and_costs_no_memory(tmp_path):
    member = tarfile.TarInfo("00.json")
    member.size = 7 << 30
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.USTAR_FORMAT) + bytes(2048))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="is cut off"):
            list(read_shard(tmp_path / "a.tar"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_samples_before_a_damaged_place_are_read(tmp_path):
    data = bytearray(made(files={**FILES, "03.json": b"{}"}))
    data[data.index(b"02.json")] ^= 1
    (tmp_path / "a.tar").write_bytes(data)
    found = []
    with pytest.raises(InputError, match="a damaged header at"):
        for key, _ in read_shard(tmp_path / "a.tar"):
            found.append(key)
    assert found == ["00", "01"]


def test_a_tar_without_anything_in_it_has_no_samples(tmp_path):
    (tmp_path / "a.tar").write_bytes(bytes(10240))
    assert sample_rows(tmp_path / "a.tar") == ([], 0)


@given(st.data())
def test_whatever_byte_is_another_the_headers_are_read_or_refused(data):
    whole = bytearray(made(data.draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])), {LONG[-60:]: b"1"}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for content in (bytes(whole), bytes(whole[:cut])):
        try:
            found = listed(content)
        except (DamagedTarError, RefusedTarError):
            continue
        assert all(begin + size <= len(content) for _, _, begin, size in found)
