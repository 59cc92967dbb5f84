"""Tars from outside: what is a file is taken, what is none is refused, and nothing leaves the folder."""

import bz2
import gzip
import io
import lzma
import os
import resource
import tarfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.pipeline import archives

from pipeline.hostile import BLOCK, END_OF_TAR, lay_ground, padded, pax, tar_file, tar_header, unpacked

BEFORE, AFTER = tar_file(b"before.mp4", b"B" * 700), tar_file(b"after.mp4", b"A" * 20)
BOTH = {"before.mp4": b"B" * 700, "after.mp4": b"A" * 20}
FIRST = {"before.mp4": b"B" * 700}
#: Member -> what is said of it; the files before and behind it are taken.
REFUSED = {
    "above": (tar_file(b"../secret.mp4", b"x"), "leaves its folder"),
    "above, deeper": (tar_file(b"a/b/../../../outside/secret.mp4", b"x"), "leaves its folder"),
    "above, in the end": (tar_file(b"a/..", b"x"), "leaves its folder"),
    "above, no UTF-8": (tar_file(b"../\xff\xfe.mp4", b"x"), "leaves its folder"),
    "absolute": (tar_file(b"/outside/secret.mp4", b"x"), "leaves its folder"),
    "two slashes": (tar_file(b"//outside/secret.mp4", b"x"), "leaves its folder"),
    "drive": (tar_file(b"C:\\outside.mp4", b"x"), "leaves its folder"),
    "backslashes": (tar_file(b"..\\..\\outside\\secret.mp4", b"x"), "leaves its folder"),
    "no name": (tar_file(b"", b"x"), "no file name"),
    "dot": (tar_file(b".", b"x"), "no file name"),
    "symbolic link": (tar_header(b"l.mp4", 0, b"2", link=b"/etc/passwd"), "a symbolic link"),
    "symbolic link with content": (tar_header(b"l.mp4", 4096, b"2", link=b"/etc/passwd"), "a symbolic link"),
    "symbolic link inside": (tar_header(b"l.mp4", 0, b"2", link=b"before.mp4"), "a symbolic link"),
    "hard link to outside": (tar_header(b"l.mp4", 0, b"1", link=b"/etc/passwd"), "a hard link"),
    "hard link to a member": (tar_header(b"l.mp4", 0, b"1", link=b"before.mp4"), "a hard link"),
    "device of characters": (tar_header(b"l.mp4", 0, b"3", b329=b"0000001\0", b337=b"0000005\0"), "a device"),
    "device of blocks": (tar_header(b"l.mp4", 0, b"4"), "a device"),
    "pipe": (tar_header(b"l.mp4", 0, b"6"), "a pipe"),
    "label": (tar_header(b"label", 0, b"V"), "of kind b'V'"),
    "kind of nobody": (tar_file(b"l.mp4", b"some content", b"\xff"), "of kind"),
    "sparse, GNU": (tar_header(b"l.mp4", 0, b"S", magic=b"ustar  \0", b483=b"\x80" + b"\x7f" * 11), "a sparse file"),
    "sparse, GNU, with a longer map": (
        tar_header(b"l.mp4", 3, b"S", magic=b"ustar  \0", b482=b"\1")
        + bytes(504)
        + b"\1"
        + bytes(519)
        + padded(b"abc"),
        "a sparse file",
    ),
    "sparse, pax 0.1": (pax((b"GNU.sparse.size", b"9" * 18)) + tar_file(b"l.mp4", b"x"), "a sparse file"),
    "sparse, pax 1.0": (
        pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9" * 18))
        + tar_file(b"GNUSparseFile.0/l.mp4", padded(b"1\n0\n1\n") + b"x"),
        "a sparse file",
    ),
    "pax path": (pax((b"path", b"../../outside/secret.mp4")) + tar_file(b"good.mp4", b"x"), "leaves its folder"),
    "pax path with NUL": (pax((b"path", b"good.mp4\0/../x")) + tar_file(b"good.mp4", b"x"), "NUL"),
    "pax path twice": (
        pax((b"path", b"good.mp4"), (b"path", b"/outside/secret.mp4")) + tar_file(b"good.mp4", b"x"),
        "leaves its folder",
    ),
    "pax linkpath": (
        pax((b"linkpath", b"/etc/passwd")) + tar_header(b"l.mp4", 0, b"2", link=b"before.mp4"),
        "a symbolic link",
    ),
    "long name of GNU": (tar_file(b"@", b"/outside/secret.mp4\0", b"L") + tar_file(b"x", b"x"), "leaves its folder"),
    "long name of a link": (
        tar_file(b"@", b"/etc/passwd\0", b"K") + tar_header(b"l.mp4", 0, b"2", link=b"x"),
        "a symbolic link",
    ),
    "long name of 2 MB": (tar_file(b"@", b"a" * 2_000_000, b"L") + tar_file(b"x", b"x"), "2000000 bytes"),
    "long name of 100 kB": (tar_file(b"@", b"a" * 100_000, b"L") + tar_file(b"x", b"x"), "too long a name"),
    "many folders": (tar_file(b"@", b"a/" * 900 + b"b", b"L") + tar_file(b"x", b"x"), "folders"),
    "part of 256 bytes": (pax((b"path", b"a" * 256)) + tar_file(b"x", b"x"), "too long a name"),
    "long path": (pax((b"path", b"/".join([b"a" * 250] * 17))) + tar_file(b"x", b"x"), "too long a name"),
    "prefix": (tar_file(b"secret.mp4", b"x", b345=b"../../outside"), "leaves its folder"),
    "our ledger": (tar_file(b".mm2energon/outputs.json", b"{}"), "keeps for itself"),
    "our ledger in capitals": (tar_file(b"a/.MM2Energon/outputs.json", b"{}"), "keeps for itself"),
    "metadata of shards": (tar_file(b"wds/.nv-meta/dataset.yaml", b"__module__: os"), "keeps for itself"),
    "our temporary file": (tar_file(b".0.mm2energon-tmp", b"x"), "keeps for itself"),
    "the same name twice": (tar_file(b"before.mp4", b"C" * 700), "another file of that name"),
    "below a file": (tar_file(b"before.mp4/c.mp4", b"x"), "has the name of its folder"),
    "the archive itself": (tar_file(b"v.tar", b"x"), "another file of that name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_member_that_is_no_honest_file_is_refused_alone(ground, case):
    member, why = REFUSED[case]
    report, files = unpacked(ground, BEFORE + member + AFTER + END_OF_TAR)
    assert files == BOTH
    assert report.refused_count == 1 and why in report.refused[0]


#: What is taken that looks odd, and is honest.
TAKEN = {
    "through a link": (
        tar_header(b"d", 0, b"2", link=b"../../outside") + tar_file(b"d/secret.mp4", b"x"),
        {"d/secret.mp4": b"x"},
        1,
    ),
    "through a link to a link": (
        tar_header(b"d", 0, b"2", link=b".") + tar_header(b"d/e", 0, b"2", link=b"..") + tar_file(b"d/e/s.mp4", b"x"),
        {"d/e/s.mp4": b"x"},
        2,
    ),
    "a hard link to a link, written to": (
        tar_header(b"l", 0, b"2", link=b"../../outside/secret.mp4")
        + tar_header(b"h", 0, b"1", link=b"l")
        + tar_file(b"h", b"x"),
        {"h": b"x"},
        2,
    ),
    "the same twice": (tar_file(b"x.mp4", b"x") * 2, {"x.mp4": b"x"}, 0),
    "names in two cases": (tar_file(b"X.mp4", b"1") + tar_file(b"x.mp4", b"2"), {"X.mp4": b"1", "x.mp4": b"2"}, 0),
    "names in two forms": (
        tar_file("é.mp4".encode(), b"1") + tar_file("e\u0301.mp4".encode(), b"2"),
        {"é.mp4": b"1", "e\u0301.mp4": b"2"},
        0,
    ),
    "control characters": (tar_file(b"a\n\x1b[31m.mp4", b"x"), {"a\n\x1b[31m.mp4": b"x"}, 0),
    "no UTF-8": (tar_file(b"\xff\xfe.mp4", b"x"), {"\udcff\udcfe.mp4": b"x"}, 0),
    "dashes and spaces": (tar_file(b"-rf * .mp4", b"x"), {"-rf * .mp4": b"x"}, 0),
    "part of 255 bytes": (pax((b"path", b"a" * 255)) + tar_file(b"x", b"x"), {"a" * 255: b"x"}, 0),
    "pax size": (pax((b"size", b"3")) + tar_header(b"x", 0) + padded(b"abc"), {"x": b"abc"}, 0),
    "size in binary": (tar_header(b"x", b"\x80" + bytes(10) + b"\3") + padded(b"abc"), {"x": b"abc"}, 0),
    "comment for all": (pax((b"comment", b"c"), kind=b"g") + tar_file(b"x", b"x"), {"x": b"x"}, 0),
    "contiguous": (tar_file(b"x", b"x", b"7"), {"x": b"x"}, 0),
    "older than ustar": (tar_file(b"x", b"x", b"\0", magic=b""), {"x": b"x"}, 0),
    "folder": (tar_header(b"d/", 0, b"5") + tar_header(b"e/", 0, b"\0", magic=b""), {}, 0),
    "dots": (tar_file(b"./a/./b.mp4", b"x"), {"a/b.mp4": b"x"}, 0),
}


@pytest.mark.parametrize("case", TAKEN)
def test_a_file_is_taken_under_its_own_name_whatever_it_is_called(ground, case):
    members, expected, refused = TAKEN[case]
    report, files = unpacked(ground, BEFORE + members + AFTER + END_OF_TAR)
    assert files == {**BOTH, **expected}
    assert report.refused_count == refused and report.files == len(files)


HUGE = (1 << 62).to_bytes(11, "big")
#: What stands behind the first file, and makes the rest unreadable.
BROKEN = {
    "size below zero": tar_header(b"x", b"\xff" * 12),
    "size of exabytes": tar_header(b"x", b"\x80" + HUGE),
    "size that is no number": tar_header(b"x", b"1_0\0"),
    "size with a sign": tar_header(b"x", b"-1\0"),
    "pax size of exabytes": pax((b"size", b"9" * 18)) + tar_header(b"x", 1) + padded(b"x"),
    "pax size below zero": pax((b"size", b"-5")) + tar_header(b"x", 1) + padded(b"x"),
    "pax size for all": pax((b"size", b"0"), kind=b"g") + tar_file(b"x", b"x"),
    "pax path for all": pax((b"path", b"/x"), kind=b"g") + tar_file(b"x", b"x"),
    "pax of exabytes": tar_header(b"x", b"\x80" + HUGE, b"x"),
    "pax of 2 MB": tar_file(b"pax", b"x" * 2_000_000, b"x") + tar_file(b"x", b"x"),
    "pax record too short": tar_file(b"pax", b"3 path=x\n", b"x") + tar_file(b"x", b"x"),
    "pax record of length 0": tar_file(b"pax", b"0 path=x\n", b"x") + tar_file(b"x", b"x"),
    "pax record too long": tar_file(b"pax", b"999 path=x\n", b"x") + tar_file(b"x", b"x"),
    "pax record of huge length": tar_file(b"pax", b"9" * 5000 + b" path=x\n", b"x") + tar_file(b"x", b"x"),
    "pax of NUL bytes": tar_file(b"pax", bytes(600), b"x") + tar_file(b"x", b"x"),
    "chain of long names": tar_file(b"@", b"x", b"L") * 3000 + tar_file(b"x", b"x"),
    "chain of pax headers": pax((b"comment", b"x")) * 3000 + tar_file(b"x", b"x"),
    "long name of exabytes": tar_header(b"@", b"\x80" + HUGE, b"L"),
    "sparse without an end": (tar_header(b"x", 0, b"S", b482=b"\1") + (bytes(504) + b"\1" + bytes(7)) * 100)[
        : 99 * BLOCK
    ],
    "checksum": tar_header(b"x", 0)[:150] + b"7" + tar_header(b"x", 0)[151:] + padded(b"x" * 600),
    "text": padded(b"hello" * 300),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_ends_an_archive_and_what_came_before_is_kept(ground, case):
    end = b"" if "exabytes" in case or "without an end" in case else AFTER + END_OF_TAR
    report, files = unpacked(ground, BEFORE + BROKEN[case] + end)
    bomb = case == "size of exabytes" or case == "pax size of exabytes"
    assert files == ({} if bomb else FIRST)
    assert report.refused_count == 1 and report.refused[0].startswith("split/v.tar: is damaged, or")


WHOLE = BEFORE + pax((b"path", b"a" * 200)) + tar_file(b"x", b"y" * 600) + AFTER


@pytest.mark.parametrize("length", [*range(0, len(WHOLE), 171), len(WHOLE)])
def test_an_archive_that_is_cut_off_anywhere_gives_its_whole_files_and_says_so(ground, length):
    report, files = unpacked(ground, WHOLE[:length])
    everything = {**BOTH, "a" * 200: b"y" * 600}
    assert files.items() <= everything.items()
    assert len(files) == (length >= 512 + 700) + (length >= 4 * 512 + 3 * 512 + 600 - 512) + (
        length >= len(WHOLE) - 492
    )
    assert "is damaged, or no archive" in report.refused[0]
    report, files = unpacked(ground, WHOLE + END_OF_TAR)
    assert files == everything and not report.refused


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_archive_that_is_cut_off_anywhere_gives_whole_files_or_none(ground, mode):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode=f"w:{mode}") as tar:
        for number in range(4):
            info = tarfile.TarInfo(f"{number}.mp4")
            info.size = 3000
            tar.addfile(info, io.BytesIO(os.urandom(1500) * 2))
    data = whole.getvalue()
    for length in range(0, len(data), len(data) // 11):
        report, files = unpacked(ground, data[:length])
        assert report.refused and all(len(content) == 3000 for content in files.values())


@pytest.mark.parametrize(
    "member",
    [
        tar_header(b"x", 1 << 31) + bytes(1 << 31 >> 8),
        tar_header(b"x", 1 << 31, b"L") + bytes(1 << 31 >> 8),
        tar_header(b"x", 1 << 31, b"x") + bytes(1 << 31 >> 8),
    ],
    ids=["file", "long name", "pax"],
)
def test_a_bomb_is_refused_before_it_has_grown(ground, member):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    packed = gzip.compress(BEFORE + member, compresslevel=6)
    report, files = unpacked(ground, packed)
    assert report.refused_count == 1 and len(files) <= 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("mode", ["bz2", "xz"])
@pytest.mark.parametrize("kind", [b"0", b"V"], ids=["taken", "passed over"])
def test_what_grows_more_than_a_thousandfold_is_a_bomb_and_nothing_of_it_is_kept(ground, mode, kind):
    compress = {"bz2": bz2.compress, "xz": lzma.compress}[mode]
    packed = compress(BEFORE + tar_header(b"x", 30_000_000, kind) + bytes(30_000_000 // 512 * 512 + 512) + END_OF_TAR)
    assert len(packed) < 29_000
    report, files = unpacked(ground, packed)
    assert files == {} and "more than 1000 times" in report.refused[-1]


def test_an_xz_that_asks_for_gigabytes_of_memory_is_refused(ground):
    packed = bytearray(lzma.compress(BEFORE + END_OF_TAR))
    size = (packed[12] + 1) * 4  # of the header of its block
    block = packed[12 : 12 + size]
    block[block.index(b"\x21\x01") + 2] = 36  # a dictionary of 1 GiB
    block[-4:] = zlib.crc32(block[:-4]).to_bytes(4, "little")
    report, files = unpacked(ground, bytes(packed[:12] + block + packed[12 + size :]))
    assert files == {} and "emory" in report.refused[0]


def test_streams_of_xz_one_behind_the_other_and_padding_are_one_archive(ground):
    whole = BEFORE + AFTER + END_OF_TAR
    parts = [lzma.compress(whole[:600]), bytes(8), lzma.compress(whole[600:]), bytes(4)]
    report, files = unpacked(ground, b"".join(parts))
    assert files == BOTH and not report.refused


def test_more_members_than_any_dataset_has_are_a_bomb(ground, monkeypatch):
    monkeypatch.setattr(archives, "_MAX_MEMBERS", 50)
    report, files = unpacked(ground, b"".join(tar_file(b"%d.mp4" % n, b"x") for n in range(60)) + END_OF_TAR)
    assert files == {} and "more than 50 members" in report.refused[0]


def test_what_follows_the_end_is_told(ground):
    report, files = unpacked(ground, BEFORE + END_OF_TAR + AFTER + END_OF_TAR)
    assert files == FIRST and "no member" in report.refused[0]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tarfile_writes_comes_out_as_it_went_in(ground, form):
    clips = {"a/ü b.mp4": b"1" * 513, "x" * 90 + "/" + "y" * 90: b"", "e" * 99: b"2", "-": os.urandom(2000)}
    if form != tarfile.USTAR_FORMAT:
        clips |= {"d" * 200 + "/" + "e" * 250: b"3", "line\nbreak": b"4"}
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as tar:
        for name, data in clips.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5 if form == tarfile.PAX_FORMAT else 1
            tar.addfile(info, io.BytesIO(data))
    report, files = unpacked(ground, whole.getvalue())
    assert files == clips and not report.refused


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_altered_anywhere_never_raise_and_never_leave_the_folder(tmp_path_factory, data):
    ground = lay_ground(tmp_path_factory.mktemp("ground"))
    whole = bytearray(BEFORE + pax((b"path", b"p" * 120)) + tar_file(b"x", b"y") + AFTER + END_OF_TAR)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        begin = place - place % BLOCK
        whole[place] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()):  # as if it had been written so
            whole[begin + 148 : begin + 156] = b" " * 8
            whole[begin + 148 : begin + 156] = b"%06o\0 " % sum(whole[begin : begin + BLOCK])
    unpacked(ground, bytes(whole))
