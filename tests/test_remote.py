"""Object storage behind its small interface: the same by s3fs and by NVIDIA's multi-storage-client."""

import argparse
import errno
import json
import subprocess
import sys
import time
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


@pytest.mark.parametrize("ask", [Remote.size, Remote.read, lambda file: list(file.files())])
def test_a_profile_that_nobody_has_is_told_by_the_url(store, ask):
    with pytest.raises(OSError, match="none-such") as caught:
        ask(Remote("msc://none-such/bucket/a"))
    assert caught.value.filename == "msc://none-such/bucket/a"


def test_a_configuration_that_is_wrong_is_told_without_what_stands_in_it(store, tmp_path, monkeypatch):
    profiles = {"profiles": {"wrong": {"storage_provider": {"type": "s3"}, "credentials_provider": "kept-secret"}}}
    (tmp_path / "config.json").write_text(json.dumps(profiles))
    monkeypatch.setenv("MSC_CONFIG", str(tmp_path / "config.json"))
    with pytest.raises(OSError, match="check the configuration of the store") as caught:
        Remote("msc://wrong/bucket/a").read()
    assert "kept-secret" not in str(caught.value)


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


def test_a_url_of_a_file_holds_all_of_its_name():
    assert place("file:///a/b#1?c%23d") == Path("/a/b#1?c#d") and place("file://localhost/a") == Path("/a")


def test_a_url_with_one_slash_is_refused_with_the_one_that_is_meant():
    with pytest.raises(argparse.ArgumentTypeError, match="s3://bucket/a was expected"):
        place("S3:/bucket/a")
    with pytest.raises(argparse.ArgumentTypeError, match="file:///a/b was expected"):
        place("file:/a/b")


@pytest.mark.parametrize(
    "text",
    ["ftp://host/a", "s3://", "s3:///", "https://host/a", "file://host/a"]
    + ["s3:///bucket/a", "s3://bucket//a", "s3://bucket/../a", "s3://bucket/./a", "msc://p/a/.."],
)
def test_other_urls_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        place(text)


ODD_NAMES = [
    "a b",
    "a#b",
    "a?b",
    "a%20b",
    "a+b",
    "a&b=c",
    "[x]*.jpg",
    "a#b?",
    "a#",
    "a?",
    "日本.jpg",
    ".hidden",
    "-",
    "a'b\"c",
]


def test_any_name_that_a_file_may_have_is_one_in_a_store(folder, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    for name in ODD_NAMES:
        (here / name).write_bytes(name.encode())
    Remote(folder).send(ODD_NAMES, here)
    assert sorted(Remote(folder).files()) == sorted((name, len(name.encode())) for name in ODD_NAMES)
    Remote(folder).fetch(ODD_NAMES, tmp_path / "there")
    for name in ODD_NAMES:
        assert (tmp_path / "there" / name).read_bytes() == name.encode()
        assert (Remote(folder) / name).size() == len(name.encode()) == len((Remote(folder) / name).open().read())
    Remote(folder).remove(ODD_NAMES)
    assert list(Remote(folder).files()) == []


def test_a_folder_of_ten_thousand_files_is_listed_whole(folder):
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    (Remote(folder).parent / "beside").write(b"")
    bucket = folder.rpartition("/")[0].rpartition("/")[2]
    for number in range(10_000):
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, f"folder/{number:05d}", b"1")
    assert [name for name, _ in Remote(folder).files()] == [f"{number:05d}" for number in range(10_000)]


@pytest.mark.parametrize("fault", ["busy", "cut"])
def test_a_request_that_fails_once_is_made_again(folder, watched, tmp_path, fault):
    """s3fs and multi-storage-client do so themselves."""
    failed = []

    def fail_each_once(method, key):
        if key.endswith("/a") and method in ("GET", "PUT") and method not in failed:
            failed.append(method)
            return fault
        return None

    data = bytes(range(256)) * 4000
    (tmp_path / "a").write_bytes(data)
    watched.fails = fail_each_once
    Remote(folder).send(["a"], tmp_path)
    assert Remote(folder).fetch(["a"], tmp_path / "there") == {"a": len(data)}
    assert (tmp_path / "there/a").read_bytes() == data
    failed.clear()
    assert (Remote(folder) / "a").read_part(1000, 900_000) == data[1000:900_000]
    assert failed == ["GET"]


def test_stretches_of_a_file_come_as_they_are_asked_for_and_a_file_that_ends_before_is_told(folder):
    data = bytes(range(256)) * 100
    (Remote(folder) / "a").write(data)
    asked = [(0, 10), (300, 20_000)]
    assert list((Remote(folder) / "a").read_parts(asked)) == [(begin, data[begin:end]) for begin, end in asked]
    with pytest.raises(OSError, match=r"600 bytes from 25000 on, 1000 were expected.*folder/a"):
        list((Remote(folder) / "a").read_parts([(25_000, 26_000)]))


def test_an_upload_that_is_killed_leaves_nothing_to_be_seen(s3, watched, tmp_path):
    """A file of several parts, killed when the first has arrived."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(110 << 20)
    code = "import pathlib, sys; from mm2energon.remote import Remote; "
    code += "Remote(sys.argv[1]).send(['large'], pathlib.Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, s3, str(tmp_path)])
    while not any("partNumber=" in key for _, key, _ in watched.requests):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not any(method == "POST" and "uploadId=" in key for method, key, _ in watched.requests)
    assert list(Remote(s3).files()) == [] and (Remote(s3) / "large").size() is None


def test_an_upload_of_which_less_arrives_is_told(s3, tmp_path, monkeypatch):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(9 << 20)
    monkeypatch.setattr(Remote, "size", lambda _: 5)
    with pytest.raises(OSError, match="5 bytes arrived, 9437184 were sent"):
        Remote(s3).send(["large"], tmp_path)


def test_a_bucket_that_is_not_there_is_named_and_not_taken_for_an_empty_folder(folder, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    missing = Remote(folder.replace("bucket-", "no-bucket-"))
    asked = [
        lambda: list(missing.files()),
        lambda: list(missing.walk()),
        lambda: (missing / "a").write(b"a"),
        lambda: missing.send(["a"], tmp_path),
    ]
    for ask in asked:
        with pytest.raises(OSError, match="there is no such bucket") as told:
            ask()
        assert not isinstance(told.value, FileNotFoundError)
