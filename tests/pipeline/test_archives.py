"""Archives: unpacked once, beside themselves, and nothing outside whatever is in them."""

import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile

import pytest
from mm2energon.pipeline import archives
from mm2energon.pipeline.archives import unpack_all

from pipeline.making import unprivileged


def write_tar(path, members, mode="w:gz"):
    """A tar of (name, content) or TarInfo members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def files_below(folder):
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if ".mm2energon" not in name}


CLIPS = [("videos/a.mp4", os.urandom(3000)), ("b.mp4", os.urandom(10))]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("v.tar.gz", "w:gz"),
        ("v.tgz", "w:gz"),
        ("v.tar", "w"),
        ("V.TAR.GZ", "w:gz"),
        ("v.tar", "w:xz"),
        ("v.tar", "w:bz2"),
    ],
)
def test_a_tar_is_unpacked_beside_itself_whatever_it_is_compressed_with(tmp_path, name, mode):
    archive = write_tar(tmp_path / "split" / name, CLIPS, mode)
    (report,) = unpack_all(tmp_path)
    archive.unlink()
    assert files_below(tmp_path / "split") == dict(CLIPS)
    assert (report.name, report.files, report.refused) == (f"split/{name}", 2, [])


def test_a_zip_is_unpacked_beside_itself(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("videos/", b"")
        for name, data in CLIPS:
            archive.writestr(name, data)
    (report,) = unpack_all(tmp_path)
    (tmp_path / "v.zip").unlink()
    assert files_below(tmp_path) == dict(CLIPS)
    assert (report.files, report.refused) == (2, [])


def test_archives_are_looked_for_in_split_folders_and_the_folders_in_them(tmp_path):
    for folder in ("", "split", "split/videos", "split/videos/deeper", ".hidden", "frames"):
        write_tar(tmp_path / folder / "v.tar.gz", CLIPS)
    (tmp_path / "frames.json").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "split/videos/deeper")
    assert [report.name for report in unpack_all(tmp_path)] == [
        "v.tar.gz",
        "split/v.tar.gz",
        "split/videos/v.tar.gz",
    ]
    assert not (tmp_path / "split/videos/deeper/b.mp4").exists()


def test_an_archive_is_unpacked_once(tmp_path):
    write_tar(tmp_path / "v.tar.gz", CLIPS)
    list(unpack_all(tmp_path))
    (tmp_path / "b.mp4").unlink()
    (report,) = unpack_all(tmp_path)
    assert report.already_done and not (tmp_path / "b.mp4").exists()


def test_an_archive_that_changed_is_unpacked_again(tmp_path):
    write_tar(tmp_path / "v.tar.gz", CLIPS[:1])
    list(unpack_all(tmp_path))
    write_tar(tmp_path / "v.tar.gz", [*CLIPS, ("c.mp4", b"c")])
    (report,) = unpack_all(tmp_path)
    assert (report.already_done, report.files) == (False, 2)


HOSTILE = [
    ("../outside.mp4", b"x"),
    ("a/../../outside.mp4", b"x"),
    ("/tmp/outside-of-mm2energon.mp4", b"x"),
    ("C:\\outside.mp4", b"x"),
    ("..\\outside.mp4", b"x"),
    (".mm2energon/outputs.json", b"{}"),
    ("n" * 300, b"x"),
    special("link.mp4", tarfile.SYMTYPE, "/etc/passwd"),
    special("folder", tarfile.SYMTYPE, ".."),
    special("hard.mp4", tarfile.LNKTYPE, "/etc/passwd"),
    special("pipe.mp4", tarfile.FIFOTYPE),
    special("device.mp4", tarfile.CHRTYPE),
]


def test_members_that_are_hostile_are_refused_by_name_and_the_others_taken(tmp_path):
    root = tmp_path / "root"
    write_tar(root / "v.tar.gz", [*HOSTILE, ("folder/through-the-link.mp4", b"x"), *CLIPS])
    (report,) = unpack_all(root)
    assert len(report.refused) == len(HOSTILE)
    (root / "v.tar.gz").unlink()
    assert files_below(tmp_path) == {f"root/{n}": d for n, d in [*CLIPS, ("folder/through-the-link.mp4", b"x")]}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_what_was_refused_is_told_again_by_a_second_run(tmp_path):
    write_tar(tmp_path / "v.tar.gz", [*HOSTILE, *CLIPS])
    (first,) = unpack_all(tmp_path)
    (second,) = unpack_all(tmp_path)
    assert second.already_done and first.refused_count == len(HOSTILE)
    assert (second.refused, second.refused_count) == (first.refused, first.refused_count)


def test_of_many_refused_members_the_first_are_named_and_all_are_counted(tmp_path):
    write_tar(tmp_path / "v.tar.gz", [(f"../{number}.mp4", b"x") for number in range(50)])
    for _ in range(2):
        (report,) = unpack_all(tmp_path)
        assert (len(report.refused), report.refused_count) == (20, 50)


def nested(path, depth):
    """An archive in an archive, so many times, with a clip in the innermost."""
    data = CLIPS[1]
    for number in range(depth):
        write_tar(path, [data])
        data = (f"inner{number}.tar.gz", path.read_bytes())
    return path


def test_an_archive_in_an_archive_is_unpacked_in_the_same_run(tmp_path):
    nested(tmp_path / "v.tar.gz", 3)
    reports = list(unpack_all(tmp_path))
    assert [report.name for report in reports] == ["v.tar.gz", "inner1.tar.gz", "inner0.tar.gz"]
    assert (tmp_path / "b.mp4").read_bytes() == CLIPS[1][1]
    assert all(report.already_done for report in unpack_all(tmp_path))


def test_archives_without_end_are_told_and_left_after_three_rounds(tmp_path):
    nested(tmp_path / "v.tar.gz", 5)
    reports = list(unpack_all(tmp_path))
    assert [report.files for report in reports] == [1, 1, 1, 0]
    assert "run the command again" in reports[-1].refused[0]
    list(unpack_all(tmp_path))
    assert (tmp_path / "b.mp4").exists()


def test_an_archive_or_a_folder_that_is_not_ours_to_read_stops_no_other(open_folder):
    for name in ("a", "b", "locked/c"):
        write_tar(open_folder / f"{name}.tar.gz", CLIPS[1:])
    (open_folder / "a.tar.gz").chmod(0)
    (open_folder / "locked").chmod(0)
    with unprivileged():
        refused, taken = unpack_all(open_folder)
    assert "Permission denied" in refused.refused[0] and taken.files == 1


def test_an_archive_beside_which_nothing_may_be_written_is_told(open_folder):
    write_tar(open_folder / "split/a.tar.gz", CLIPS)
    (open_folder / "split").chmod(0o555)
    with unprivileged():
        (report,) = unpack_all(open_folder)
    assert "split/a.tar.gz" in report.refused[0] and "Permission denied" in report.refused[0]


def test_a_link_that_is_there_already_leads_nowhere(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "b.mp4").symlink_to(outside / "b.mp4")
    write_tar(root / "v.tar.gz", [("folder/a.mp4", b"x"), ("b.mp4", b"x")])
    (report,) = unpack_all(root)
    assert (report.files, len(report.refused), list(outside.iterdir())) == (0, 2, [])


def test_a_zip_with_links_passwords_or_traversal_is_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(root / "v.zip", "w") as archive:
        link = zipfile.ZipInfo("link.mp4")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../outside.mp4", b"x")
        archive.writestr("good.mp4", b"x")
    (report,) = unpack_all(root)
    assert (report.files, len(report.refused)) == (1, 2)
    assert not (tmp_path / "outside.mp4").exists() and not (root / "link.mp4").exists()


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"of another size")
    write_tar(tmp_path / "v.tar.gz", [*CLIPS, ("b.mp4/c.mp4", b"x"), ("videos", b"x")])
    (report,) = unpack_all(tmp_path)
    assert (tmp_path / "b.mp4").read_bytes() == b"of another size"
    assert (report.files, len(report.refused)) == (1, 3)


def damaged(data):
    """Cut off, and with a byte changed at each of some places."""
    yield data[: len(data) // 2]
    yield data[:-6]
    yield b""
    yield b"no archive at all" * 100
    for place in range(12, len(data) - 9, max(1, len(data) // 7)):
        yield data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "tar.bz2", "zip"])
def test_a_damaged_archive_is_told_and_tried_again_when_it_is_mended(tmp_path, kind):
    whole = tmp_path / f"whole.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(*CLIPS[0])
    else:
        write_tar(whole, CLIPS[:1], f"w:{kind[4:]}")
    data = whole.read_bytes()
    for number, bad in enumerate(damaged(data)):
        root = tmp_path / str(number)
        root.mkdir()
        name = "v.zip" if kind == "zip" else "v.tar"
        (root / name).write_bytes(bad)
        (report,) = unpack_all(root)
        taken = {n: d for n, d in files_below(root).items() if n != name}
        assert report.refused or taken == dict(CLIPS[:1])
        assert not list(root.rglob("*.mm2energon-tmp"))
        assert set(taken.items()) <= set(CLIPS[:1])
        (root / name).write_bytes(data)
        (report,) = unpack_all(root)
        assert files_below(root)["videos/a.mp4"] == CLIPS[0][1] and not report.refused


def test_a_header_that_is_damaged_in_the_middle_of_a_plain_tar_is_told(tmp_path):
    clips = [(f"{number}.mp4", os.urandom(30_000)) for number in range(4)]
    tar = write_tar(tmp_path / "v.tar", clips, "w")
    data = bytearray(tar.read_bytes())
    data[data.index(b"1.mp4")] = 200
    tar.write_bytes(data)
    (report,) = unpack_all(tmp_path)
    assert report.files == 1 and "no member" in report.refused[0]


def test_a_damaged_archive_does_not_keep_others_from_being_unpacked(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    write_tar(tmp_path / "b.tar.gz", CLIPS)
    bad, good = unpack_all(tmp_path)
    assert "is damaged" in bad.refused[0] and good.files == 2


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    write_tar(tmp_path / "v.tar.gz", [("a.mp4", CLIPS[0][1]), ("b.mp4", bytes(50_000_000))])
    free = shutil.disk_usage(tmp_path)._replace(free=120 << 20)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: free)
    (report,) = unpack_all(tmp_path)
    assert "make room" in report.refused[0]
    assert sorted(files_below(tmp_path)) == ["a.mp4", "v.tar.gz"]
    monkeypatch.undo()
    (report,) = unpack_all(tmp_path)
    assert report.refused == [] and (tmp_path / "b.mp4").stat().st_size == 50_000_000


def test_shards_are_no_archives_of_videos(tmp_path):
    for folder, mark in (("done", ".nv-meta/x"), ("unfinished", ".mm2energon/shard/x"), ("foreign", "v.tar.idx")):
        (tmp_path / folder / mark).parent.mkdir(parents=True)
        (tmp_path / folder / mark).write_text("")
        write_tar(tmp_path / folder / "v.tar", CLIPS, "w")
    assert list(unpack_all(tmp_path)) == []


def test_archives_out_of_archives_share_what_the_first_may_unpack_to(tmp_path):
    bomb = bytes(6_000_000)
    inner = []
    for number in range(40):  # each small enough by itself, and as small as zeros get
        write_tar(tmp_path / "i.tar.gz", [(f"{number}.mp4", bomb)])
        inner.append((f"{number}.tar.gz", (tmp_path / "i.tar.gz").read_bytes()))
    (tmp_path / "i.tar.gz").unlink()
    write_tar(tmp_path / "inner.tar", inner, "w")
    outer = lzma.compress((tmp_path / "inner.tar").read_bytes())
    (tmp_path / "inner.tar").unlink()
    (tmp_path / "v.tar").write_bytes(outer)
    reports = list(unpack_all(tmp_path))
    grown = sum(path.stat().st_size for path in tmp_path.glob("*.mp4"))
    assert grown <= 1000 * len(outer)
    assert any("as no honest archive does" in report.refused[0] for report in reports if report.refused)


def test_an_archive_that_is_a_link_out_of_the_root_is_not_read(tmp_path):
    (tmp_path / "root").mkdir()
    write_tar(tmp_path / "private.tar.gz", CLIPS)
    (tmp_path / "root/v.tar.gz").symlink_to(tmp_path / "private.tar.gz")
    (report,) = unpack_all(tmp_path / "root")
    assert "link out of the dataset root" in report.refused[0] and report.files == 0
    assert not (tmp_path / "root/b.mp4").exists()


def test_long_names_of_refused_members_are_cut_in_what_is_told(tmp_path):
    write_tar(tmp_path / "v.tar.gz", [("../" + "n" * 5000, b"x")])
    (report,) = unpack_all(tmp_path)
    assert len(report.refused[0]) < 400
