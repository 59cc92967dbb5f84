"""Zips from outside: both headers of a member have to agree, and nothing leaves the folder."""

import io
import os
import stat
import struct
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.hostile import ZipMember, lay_ground, unpacked, zip_bytes

BEFORE, AFTER = ZipMember(b"before.mp4", b"B" * 700), ZipMember(b"after.mp4", os.urandom(900) * 3, method=8)
BOTH = {"before.mp4": BEFORE.data, "after.mp4": AFTER.data}


def said(**other):
    return tuple(other.items())


REFUSED = {
    "above": (ZipMember(b"../secret.mp4", b"x"), "leaves its folder"),
    "above, with backslashes": (ZipMember(b"..\\..\\outside\\secret.mp4", b"x"), "leaves its folder"),
    "absolute": (ZipMember(b"/outside/secret.mp4", b"x"), "leaves its folder"),
    "drive": (ZipMember(b"C:/secret.mp4", b"x"), "leaves its folder"),
    "no name": (ZipMember(b"", b"x"), "no file name"),
    "NUL": (ZipMember(b"good.mp4\0../../x", b"x"), "NUL"),
    "our ledger": (ZipMember(b".mm2energon/outputs.json", b"{}"), "keeps for itself"),
    "symbolic link": (ZipMember(b"l.mp4", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "a link or a device"),
    "device": (ZipMember(b"l.mp4", b"", mode=stat.S_IFCHR | 0o666), "a link or a device"),
    "pipe": (ZipMember(b"l.mp4", b"", mode=stat.S_IFIFO | 0o666), "a link or a device"),
    "folder without a slash": (ZipMember(b"l", b"", mode=stat.S_IFDIR | 0o777), "not a regular file"),
    "encrypted": (ZipMember(b"l.mp4", b"x" * 40, flags=1), "encrypted"),
    "encrypted, in its own header alone": (ZipMember(b"l.mp4", b"x", in_header=said(flags=1)), "other things"),
    "other name": (ZipMember(b"good.mp4", b"x", in_header=said(name=b"../a.mp4")), "other things"),
    "other name in the directory": (
        ZipMember(b"../a.mp4", b"x", in_header=said(name=b"good.mp4")),
        "leaves its folder",
    ),
    "other size": (ZipMember(b"l.mp4", b"x" * 90, in_header=said(size=5)), "other things"),
    "other packed size": (ZipMember(b"l.mp4", b"x" * 90, method=8, in_header=said(packed=1)), "other things"),
    "other method": (ZipMember(b"l.mp4", b"x" * 90, method=8, in_header=said(method=0)), "other things"),
    "other checksum": (ZipMember(b"l.mp4", b"x" * 90, in_header=said(crc=1)), "other things"),
    "wrong checksum": (ZipMember(b"l.mp4", b"x", in_header=said(crc=1), in_directory=said(crc=1)), "damaged"),
    "more content than said": (
        ZipMember(b"l.mp4", b"x" * 90_000, method=8, in_header=said(size=9), in_directory=said(size=9)),
        "more than the 9 bytes",
    ),
    "less content than said": (
        ZipMember(b"l.mp4", b"x" * 90, method=8, in_header=said(size=99), in_directory=said(size=99)),
        "damaged",
    ),
    "deflate that is none": (ZipMember(b"l.mp4", b"x" * 90, method=8, packed=b"\xff" * 50), "damaged"),
    "deflate without an end": (
        ZipMember(b"l.mp4", b"x" * 90, method=8, packed=zlib.compress(b"y" * 9)[2:5]),
        "damaged",
    ),
    "unknown method": (ZipMember(b"l.mp4", b"x" * 90, method=97), "number 97"),
    "header elsewhere": (ZipMember(b"l.mp4", b"x", in_directory=said(offset=3)), "no header of its own"),
    "twice": (ZipMember(b"before.mp4", b"C" * 700), "another file of that name"),
    "below a file": (ZipMember(b"before.mp4/c.mp4", b"x"), "name of its folder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_member_that_is_no_honest_file_is_refused_alone(ground, case):
    member, why = REFUSED[case]
    report, files = unpacked(ground, zip_bytes(BEFORE, member, AFTER), "v.zip")
    assert files == BOTH
    assert report.refused_count == 1 and why in report.refused[0]


def wide(*numbers):
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


IN_64 = 0xFFFFFFFF
BOMB = ZipMember(b"bomb.mp4", bytes(5_000_000), method=8)


def quoted(count):
    """Members that lie in one another: the content of each holds all that follow it, after David Fifield."""
    members = [ZipMember(b"%d.mp4" % number, os.urandom(2000)) for number in range(count)]
    plain = zip_bytes(*members)
    begins = [plain.index(b"PK\3\4" + zip_bytes(member)[4:30]) for member in members]
    end = plain.index(b"PK\1\2")
    for member, begin in zip(members, begins, strict=True):
        lies = {"packed": end - begin - 30 - len(member.name), "size": end - begin - 30 - len(member.name)}
        member.in_directory = member.in_header = tuple(lies.items())
    return zip_bytes(*members)


#: The whole is refused.
WHOLE = {
    "members that lie in one another": (quoted(20), "in one another"),
    "one content for many": (
        zip_bytes(ZipMember(b"a", os.urandom(5000)), *[ZipMember(b"a", in_directory=said(offset=0, packed=5000))] * 20),
        "in one another",
    ),
    "content behind the end": (zip_bytes(ZipMember(b"a", b"x", in_directory=said(packed=9000))), "in one another"),
    "header behind the end": (zip_bytes(ZipMember(b"a", b"x", in_directory=said(offset=1 << 30))), "in one another"),
    "says to be huge": (
        zip_bytes(BEFORE, ZipMember(b"a", b"x", in_directory=said(size=1 << 31))),
        "more than any honest",
    ),
    "says to be huge in 64 bits": (
        zip_bytes(BEFORE, ZipMember(b"a", b"x", extra=wide(1 << 62), in_directory=said(size=IN_64))),
        "more than any honest",
    ),
    "64 bits without the numbers": (
        zip_bytes(BEFORE, ZipMember(b"a", b"x", extra=b"\1\0\0\0", in_directory=said(size=IN_64))),
        "more than any honest",
    ),
    "64 bits cut off": (
        zip_bytes(BEFORE, ZipMember(b"a", b"x", extra=b"\1\0\x08\0\1", in_directory=said(offset=IN_64))),
        "in one another",
    ),
    "fewer members than said": (zip_bytes(BEFORE, end={"here": 9, "count": 9}), "fewer members"),
    "more members than said": (zip_bytes(BEFORE, AFTER, end={"here": 1, "count": 1}), "more members"),
    "several parts": (zip_bytes(BEFORE, end={"here": 1, "count": 2}), "several parts"),
    "directory elsewhere": (zip_bytes(BEFORE, end={"begin": 0}), "not where its end says"),
    "directory of gigabytes": (zip_bytes(BEFORE, end={"length": 1 << 31}), "not where its end says"),
    "64 bits that are none": (zip_bytes(BEFORE, end={"begin": IN_64}), "64 bits"),
    "something in front": (zip_bytes(BEFORE, front=b"#!/bin/sh\n", end={"begin": 0}), "not where its end says"),
    "something behind": (zip_bytes(BEFORE) + b"more", "no zip"),
    "another zip behind": (zip_bytes(BEFORE) + zip_bytes(AFTER), "not where its end says"),
    "empty": (b"", "no zip"),
    "text": (b"hello" * 100, "no zip"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_zip_that_contradicts_itself_is_refused_as_a_whole(ground, case):
    data, why = WHOLE[case]
    report, files = unpacked(ground, data, "v.zip")
    assert files == {}
    assert report.refused_count == 1 and report.refused[0].startswith("split/v.zip: is damaged, or")
    assert why in report.refused[0]


def test_a_bomb_of_many_members_is_refused_before_anything_is_written(ground):
    members = [ZipMember(b"%d.mp4" % number, bytes(2_000_000), method=8) for number in range(4)]
    honest = zip_bytes(*members)
    report, files = unpacked(ground, honest, "v.zip")
    assert len(files) == 4, "as much as deflate can do by itself is no bomb"
    layers = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = layers.compress(bytes(2_000_000)) + layers.flush()
    lies = said(size=200_000_000)
    members = [ZipMember(b"%d.mpg" % n, packed=packed, method=8, in_directory=lies, in_header=lies) for n in range(4)]
    report, files = unpacked(ground, zip_bytes(*members), "v.zip")
    assert not any(name.endswith(".mpg") for name in files) and "more than any honest" in report.refused[0]


def test_a_zip_that_is_cut_off_anywhere_gives_nothing_and_says_so(ground):
    whole = zip_bytes(BEFORE, AFTER, ZipMember(b"d/e.mp4", b"z" * 90))
    for length in range(0, len(whole), 97):
        report, files = unpacked(ground, whole[:length], "v.zip")
        assert files == {} and report.refused_count == 1
    report, files = unpacked(ground, whole, "v.zip")
    assert files == {**BOTH, "d/e.mp4": b"z" * 90} and not report.refused


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("streamed", [False, True])
def test_what_zipfile_writes_comes_out_as_it_went_in(ground, method, streamed):
    clips = {"a/ü b.mp4": os.urandom(100_000) + bytes(3_000_000), "-": b"", "line\nbreak": b"1", "d" * 250: b"2" * 999}

    class Pipe(io.BytesIO):
        def seekable(self):
            return not streamed

        def seek(self, *where):
            if streamed:
                raise io.UnsupportedOperation
            return super().seek(*where)

    whole = Pipe()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.comment = b"PK\5\6 a comment"
        for name, data in clips.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=len(data) > 1) as member:
                member.write(data)
        archive.writestr("empty/", b"")
    report, files = unpacked(ground, whole.getvalue(), "v.zip")
    assert files == clips and not report.refused


def test_a_zip_of_more_members_than_16_bits_can_count_is_read(ground):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for number in range(66_000):
            archive.writestr(f"{number}/", b"")
        archive.writestr("a.mp4", b"x")
    assert unpacked(ground, whole.getvalue(), "v.zip")[1] == {"a.mp4": b"x"}


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("é.mp4".encode(), 1 << 11, "é.mp4"),
        ("é.mp4".encode(), 0, "é.mp4"),
        (b"\x82.mp4", 0, "é.mp4"),
        (b"\xff.mp4", 1 << 11, "\udcff.mp4"),
    ],
    ids=["marked as UTF-8", "UTF-8, not marked", "of DOS", "marked, and no UTF-8"],
)
def test_names_are_read_as_their_writers_meant_them(ground, name, flags, expected):
    member = ZipMember(name, b"x", flags=flags)
    assert unpacked(ground, zip_bytes(member), "v.zip")[1] == {expected: b"x"}


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_altered_anywhere_never_raise_and_never_leave_the_folder(tmp_path_factory, data):
    ground = lay_ground(tmp_path_factory.mktemp("ground"))
    whole = bytearray(zip_bytes(BEFORE, AFTER, ZipMember(b"d/e.mp4", b"z" * 90, method=8)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    report, files = unpacked(ground, bytes(whole), "v.zip")
    contents = {*BOTH.values(), b"z" * 90}
    assert set(files.values()) <= contents, "what is damaged is not taken"
