"""Tests of the shard writer: other libraries read it, the bytes repeat, and half a shard is never seen."""

from __future__ import annotations

import io
import os
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zlib

import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.shards.writer import ShardWriter, header

SAMPLES = {
    "00000000": {"jpgs": b"a" * 700, "json": b"{}"},
    "00000001-id": {"json": b"", "video0.000001.jpg": b"b" * 512, "video0.000002.jpg": b"c" * 513},
    "00000002": {"json": b"[1]"},
}


def write(path, samples=SAMPLES):
    with ShardWriter(path) as shard:
        for key, record in samples.items():
            shard.write(key, record)
    return shard


def tar_of(samples):
    """What Python's own tarfile writes for the same members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key, record in samples.items():
            for part, data in record.items():
                member = tarfile.TarInfo(f"{key}.{part}")
                member.size, member.mode = len(data), 0o644
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_the_bytes_are_those_of_pythons_own_tarfile(tmp_path):
    write(tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == tar_of(SAMPLES)


keys = st.integers(0, 10**8).map("{:08d}".format)
records = st.dictionaries(st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?", fullmatch=True), st.binary(max_size=1500))
shards = st.dictionaries(keys, records.filter(bool), max_size=12)


@given(shards)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_samples_give_the_bytes_of_pythons_own_tarfile(tmp_path, samples):
    write(tmp_path / "any.tar", samples)
    assert (tmp_path / "any.tar").read_bytes() == tar_of(samples)


pieces = st.lists(st.binary(max_size=700), max_size=40)


@given(st.dictionaries(keys, st.dictionaries(st.sampled_from(["jpgs", "videos", "json"]), pieces, min_size=1)))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_may_come_in_pieces(tmp_path, samples):
    write(tmp_path / "pieces.tar", samples)
    whole = {key: {part: b"".join(data) for part, data in record.items()} for key, record in samples.items()}
    assert (tmp_path / "pieces.tar").read_bytes() == tar_of(whole)


def test_many_large_pieces_are_written_in_order(tmp_path):
    samples = {
        f"{number:08d}": {"jpgs": [bytes([number, place % 256]) * (place * 97 % 9000) for place in range(1500)]}
        for number in range(4)
    }
    shard = write(tmp_path / "a.tar", samples)
    whole = {key: {"jpgs": b"".join(record["jpgs"])} for key, record in samples.items()}
    assert (tmp_path / "a.tar").read_bytes() == tar_of(whole)
    assert shard.crc32 == zlib.crc32(tar_of(whole)) and shard.rows.file_bytes == len(tar_of(whole))


@given(
    st.from_regex(r"[a-z0-9_-]{1,60}\.[a-z0-9]{1,39}", fullmatch=True),
    st.integers(0, 2**33 - 1) | st.integers(0, 10**5),
)
def test_a_header_is_the_one_of_pythons_own_tarfile(name, size):
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    assert header(name, size) == member.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("x" * 101, 0), ("a.b", 8 << 30)])
def test_what_a_header_cannot_hold_is_refused(name, size):
    with pytest.raises(ValueError):
        header(name, size)


def test_webdataset_reads_back_the_samples(tmp_path):
    write(tmp_path / "a.tar")
    read = webdataset.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False)
    found = {sample["__key__"]: {k: v for k, v in sample.items() if not k.startswith("__")} for sample in read}
    assert found == SAMPLES


def test_members_are_plain_files_without_owner_or_time(tmp_path):
    write(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode, m.type) for m in tar} == {
            (0, 0, "", "", 0, 0o644, tarfile.REGTYPE)
        }


def test_the_rows_point_at_the_contents(tmp_path):
    rows = write(tmp_path / "a.tar").rows
    data = (tmp_path / "a.tar").read_bytes()
    assert [sample.key for sample in rows.samples] == list(SAMPLES)
    for sample in rows.samples:
        assert {part: data[at : at + size] for part, at, size in sample.parts} == SAMPLES[sample.key]
    ends = [sample.byte_offset + sample.byte_size for sample in rows.samples]
    assert ends == [*(sample.byte_offset for sample in rows.samples[1:]), rows.end_offset]
    assert data[rows.end_offset :].strip(b"\0") == b""
    assert rows.file_bytes == len(data)


def test_the_idx_holds_the_offsets_of_the_first_headers_and_the_end(tmp_path):
    write(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
        first = {}
        for member in members:
            first.setdefault(member.name.split(".")[0], member.offset)
        end = members[-1].offset_data + -(-members[-1].size // 512) * 512
    idx = (tmp_path / "a.tar.idx").read_bytes()
    assert struct.unpack(f"<{len(idx) // 8}Q", idx) == (*first.values(), end)


def test_the_digest_is_that_of_the_file(tmp_path):
    shard = write(tmp_path / "a.tar")
    assert shard.crc32 == zlib.crc32((tmp_path / "a.tar").read_bytes())


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"json": b"{}"})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_finishing_leaves_no_tar(tmp_path):
    (tmp_path / "a.tar.idx").mkdir()
    with pytest.raises(OSError), ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"json": b"{}"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.idx"]


def test_a_writer_that_is_killed_leaves_nothing_that_looks_like_a_shard(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from mm2energon.shards.writer import ShardWriter\n"
        "with ShardWriter(Path(sys.argv[1])) as shard:\n"
        "    shard.write('00000000', {'json': bytes(1 << 20)})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.tar"], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in tmp_path.iterdir()]
    assert all(name.startswith(".") and not name.endswith((".tar", ".idx")) for name in left)


def test_a_shard_that_is_there_stays_whole_until_the_new_one_is_complete(tmp_path):
    write(tmp_path / "a.tar")
    before = (tmp_path / "a.tar").read_bytes(), (tmp_path / "a.tar.idx").read_bytes()
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000007", {"json": b"{}"})
        assert ((tmp_path / "a.tar").read_bytes(), (tmp_path / "a.tar.idx").read_bytes()) == before
    assert (tmp_path / "a.tar").read_bytes() == tar_of({"00000007": {"json": b"{}"}})


def test_the_files_are_as_readable_as_the_umask_says(tmp_path):
    umask = os.umask(0o027)
    try:
        write(tmp_path / "a.tar")
    finally:
        os.umask(umask)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.tar", "a.tar.idx")}
    assert modes == {0o640}


@pytest.mark.parametrize(
    ("key", "record"),
    [
        ("a.b", {"json": b""}),
        ("folder/a", {"json": b""}),
        ("00000000", {"json": b""}),
        ("00000009", {}),
        ("00000009", {"": b""}),
        ("00000009", {"JSON": b""}),
        ("00000009", {"__key__": b""}),
        ("00000009", {"a/b": b""}),
        ("00000009", {"a..b": b""}),
        ("00000009", {"ä": b""}),
        ("00000009", {"json": b"", "x" * 100: b""}),
        ("k" * 100, {"json": b""}),
    ],
)
def test_names_that_readers_would_misread_are_refused_and_nothing_of_the_sample_is_written(tmp_path, key, record):
    with ShardWriter(tmp_path / "a.tar") as shard:
        shard.write("00000000", {"json": b"{}"})
        with pytest.raises(ValueError):
            shard.write(key, record)
        shard.write("00000001", {"json": b"{}"})
    assert (tmp_path / "a.tar").read_bytes() == tar_of({"00000000": {"json": b"{}"}, "00000001": {"json": b"{}"}})


def test_rows_are_not_given_out_before_the_shard_is_complete(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as shard, pytest.raises(ValueError, match="not complete"):
        _ = shard.rows
