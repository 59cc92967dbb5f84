"""Object storage behind its small interface: the same by s3fs and by NVIDIA's multi-storage-client."""

import argparse
import errno
from pathlib import Path

import pytest
from mm2energon.errors import DependencyError
from mm2energon.remote import STORES, Remote, place

pytest_plugins = ["stores"]


def put(folder, files):
    for name, data in files.items():
        (Remote(folder) / name).write(data)


def test_files_are_listed_with_their_sizes_those_below_by_their_paths(folder):
    put(folder, {"b.txt": b"12", "a.txt": b"1", "sub/c.txt": b"123", "sub/deep/d": b""})
    assert list(Remote(folder).files()) == [("a.txt", 1), ("b.txt", 2)]
    assert sorted(Remote(folder).files(deep=True)) == [("a.txt", 1), ("b.txt", 2), ("sub/c.txt", 3), ("sub/deep/d", 0)]
    assert list((Remote(folder) / "none").files(deep=True)) == []


def test_what_is_sent_is_fetched_again_and_what_is_not_there_is_left_out(folder, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "sub").mkdir(parents=True)
    (here / "sub/a b.bin").write_bytes(bytes(range(256)) * 1000)
    (here / "ü.json").write_text("{}")
    Remote(folder).send(["sub/a b.bin", "ü.json"], here)
    assert Remote(folder).fetch(["sub/a b.bin", "ü.json", "gone"], there) == {"sub/a b.bin": 256_000, "ü.json": 2}
    assert (there / "sub/a b.bin").read_bytes() == (here / "sub/a b.bin").read_bytes()
    assert sorted(path.name for path in there.rglob("*")) == ["a b.bin", "sub", "ü.json"]


def test_a_file_is_read_as_a_stream_in_which_one_may_seek(folder):
    put(folder, {"lines": b"".join(b"line %d\n" % number for number in range(1000))})
    file = Remote(folder) / "lines"
    with file.open() as stream:
        assert list(stream) == [b"line %d\n" % number for number in range(1000)]
        stream.seek(5)
        assert stream.read(3) == b"0\nl"
    assert file.read_part(2, 6) == b"ne 0" and file.read().endswith(b"line 999\n")


def test_sizes_are_known_of_files_alone(folder):
    put(folder, {"sub/file": b"1234"})
    assert (Remote(folder) / "sub/file").size() == 4
    assert (Remote(folder) / "sub").size() is None and (Remote(folder) / "none").size() is None


def test_what_is_removed_is_gone_and_what_is_not_there_is_no_fault(folder):
    put(folder, {"a": b"1", "b": b"2"})
    Remote(folder).remove(["a", "none"])
    assert list(Remote(folder).files()) == [("b", 1)]


@pytest.mark.parametrize("read", [lambda file: file.read(), lambda file: file.open().read(1)])
def test_what_is_missing_is_told_by_its_url(folder, read):
    with pytest.raises(FileNotFoundError) as caught:
        read(Remote(folder) / "none")
    assert caught.value.filename == f"{folder}/none" and caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("url", ["s3://no-such-bucket-here/a", "msc://test/no-such-bucket-here/a"])
def test_a_store_that_does_not_answer_is_told_without_credentials(store, tmp_path, url):
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(OSError) as caught:
        Remote(url).send(["a"], tmp_path)
    assert url in str(caught.value) and "kept-secret" not in str(caught.value)


def test_a_store_whose_package_is_missing_is_told_with_the_line_that_installs_it(monkeypatch):
    import fsspec

    def missing(_scheme):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(DependencyError, match=r"gcsfs: .* pip install 'mm2energon\[gs\]'"):
        Remote("gs://bucket/a").read()


@pytest.mark.parametrize("scheme", STORES)
def test_a_url_of_a_store_is_a_remote_place(scheme):
    assert place(f"{scheme}://bucket/a/b/") == Remote(f"{scheme}://bucket/a/b")
    assert place(f"{scheme.upper()}://bucket/a") == Remote(f"{scheme}://bucket/a")


def test_paths_and_urls_of_files_are_places_of_this_machine():
    assert place("a/b") == Path("a/b") and place("file:///a/b%20c") == Path("/a/b c") and place(".") == Path()


@pytest.mark.parametrize("text", ["ftp://host/a", "s3://", "s3:///", "https://host/a", "file://host/a"])
def test_other_urls_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        place(text)
