"""Finished shards in a store are looked at as those of this machine, and of them comes what is read alone."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from mm2energon import cli
from mm2energon.pipeline.mirror import Mirrored
from mm2energon.pipeline.mirrors import mirror_of, remove_mirrors
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.pipeline.verify import HowDeep, verify
from mm2energon.remote import Remote
from PIL import Image

from pipeline.making import image_entry, shard_of, text_entry, video_entry, write_frames, write_images
from pipeline.test_stored import download, upload

pytest_plugins = ["stores"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Shards, and beside them the account of the run that wrote their annotations."""
    root = tmp_path_factory.mktemp("in") / "data"
    names = write_images(root, 6, size=(320, 240))
    entries = [image_entry(name, id=name, source="web") for name in [*names, names[0]]]
    entries += [video_entry(write_frames(root, "v", 5), id="v"), text_entry(1), {"id": "bad", "conversations": []}]
    shard_of(root, entries, "--max-samples-per-tar", 2, "--val-split", 1, "--group-by", "none")
    shutil.copy(root / "wds/report.json", root / "report.json")
    return root


def ran(capsys, *words):
    """Exit status and what was said, of a command."""
    status = cli.main([str(word) for word in words])
    told = capsys.readouterr()
    return status, told.out + told.err


COMMANDS = [["info"], ["report", "--text"], ["verify", "--skip-energon"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dataset_of_a_store_is_told_of_as_that_of_this_machine(here, folder, capsys, command):
    upload(here, f"{folder}/data")
    status, said = ran(capsys, *command, here / "wds")
    assert ran(capsys, *command, f"{folder}/data/wds") == (status, said.replace(str(here), f"{folder}/data"))


def test_workers_say_the_same_and_leave_no_copies(here, s3, capsys, tmp_path):
    upload(here, f"{s3}/data")
    words = ["report", f"{s3}/data/wds", "--text", "--cache", tmp_path / "cache"]
    assert ran(capsys, *words, "--workers", 2) == ran(capsys, *words)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_report_of_a_store_is_that_of_this_machine_and_may_lie_there(here, s3, capsys, tmp_path):
    upload(here, f"{s3}/data")
    assert ran(capsys, "report", here / "wds", "--output", tmp_path / "report.html")[0] == 0
    assert ran(capsys, "report", f"{s3}/data/wds", "--output", f"{s3}/report.html")[0] == 0
    made = download(s3, tmp_path / "made")
    assert (made / "report.html").read_bytes() == (tmp_path / "report.html").read_bytes()
    assert json.loads((made / "report.json").read_bytes()) == json.loads((tmp_path / "report.json").read_bytes())
    assert "was complete already" in ran(capsys, "report", f"{s3}/data/wds", "--output", f"{s3}/report.html")[1]


def test_a_file_of_the_store_that_is_no_report_stays(here, s3, capsys):
    upload(here, f"{s3}/data")
    (Remote(s3) / "page.html").write(b"mine")
    status, told = ran(capsys, "report", f"{s3}/data/wds", "--output", f"{s3}/page.html")
    assert status == 1 and f"--output {s3}/page.html: exists, and is no report of ours" in told
    assert (Remote(s3) / "page.html").read() == b"mine"


def test_shards_of_a_store_are_given_to_another_reader(here, folder, capsys, tmp_path):
    upload(here / "wds", f"{folder}/wds")
    copy = shutil.copytree(here / "wds", tmp_path / "copy")
    local = ran(capsys, "retarget", copy, "--target", "bridge")
    assert ran(capsys, "retarget", f"{folder}/wds", "--target", "bridge") == (
        0,
        local[1].replace(str(copy), f"{folder}/wds"),
    )
    made = download(f"{folder}/wds", tmp_path / "made")
    assert {path.name: path.read_bytes() for path in (made / ".nv-meta").iterdir()} == {
        path.name: path.read_bytes() for path in (copy / ".nv-meta").iterdir()
    }


@pytest.mark.parametrize("command", [["info"], ["retarget", "--target", "bridge"], ["verify"], ["report"], ["convert"]])
def test_a_folder_without_shards_is_told_by_its_url_and_what_was_expected(s3, capsys, command):
    more = ["back.json", "--to", "sharegpt"] if command == ["convert"] else []
    status, said = ran(capsys, command[0], f"{s3}/none", *command[1:], *more)
    assert status == 1 and said.startswith(f"error: {s3}/none") and said.count("\n") == 1
    assert "expected" in said or "no such file" in said
    assert list(Remote(s3).files(deep=True)) == []


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Shards of pictures that cannot be made smaller."""
    root = tmp_path_factory.mktemp("large")
    (root / "pictures").mkdir()
    names = [write_noise(root / f"pictures/{number}.png", number) for number in range(60)]
    shard_of(root, [image_entry(f"pictures/{name}") for name in names], "--max-samples-per-tar", 20)
    return root / "wds"


@pytest.fixture
def large(noise, s3):
    """The same in a store."""
    upload(noise, f"{s3}/wds")
    return noise


def write_noise(path, seed):
    """A picture of 0.3 MB."""
    Image.frombytes("RGB", (320, 320), random.Random(seed).randbytes(320 * 320 * 3)).save(path)
    return path.name


def test_a_report_brings_the_samples_that_it_reads_and_little_else(large, s3, capsys, watched):
    status, _ = ran(capsys, "report", f"{s3}/wds", "--read", 6, "--text", "--samples", 0)
    tars = [(key, size) for method, key, size in watched.requests if ".tar?" in key and method == "GET"]
    assert status == 0 and len(tars) == 6
    assert watched.given_bytes < 8 * 320_000 < sum(path.stat().st_size for path in large.glob("*.tar")) / 5


def test_a_look_at_a_large_dataset_brings_the_samples_that_it_reads_and_the_ends(large, s3, watched, monkeypatch):
    how = HowDeep(small_samples=10, samples=6)
    here = verify(large, how=how, energon=False)
    with mirror_of(Mirrored(f"{s3}/wds")) as mirror:
        there = verify(mirror.folder, how=how, energon=False, stored=StoredDataset(mirror))
    assert there == replace(here, by_index=True) and there.fault_count == 0 and not there.deep
    assert watched.given_bytes < 12 * 320_000


def faults_of(s3, **how):
    with mirror_of(Mirrored(f"{s3}/wds")) as mirror:
        found = verify(mirror.folder, how=HowDeep(**how), energon=False, stored=StoredDataset(mirror))
    remove_mirrors()
    return [str(fault) for fault in found.faults]


def spoiled(s3, large, name, begin, data):
    whole = bytearray((large / name).read_bytes())
    whole[begin : begin + len(data)] = data
    (Remote(s3) / "wds" / name).write(bytes(whole))


@pytest.mark.parametrize(
    ("name", "begin", "data", "quick", "deep"),
    [
        ("train-shard-000001.tar", 600, b"damage", None, "its bytes are not those that were written"),
        ("train-shard-000001.tar", 0, b"x", "a damaged header at 0", "a damaged header at 0"),
        ("train-shard-000000.tar.idx", 8, b"\1", "does not say where", "offset 1 is"),
        (".nv-meta/index.sqlite", 0, b"damage", "not a database", "not a database"),
    ],
)
def test_what_is_spoiled_in_a_store_is_found(large, s3, name, begin, data, quick, deep):
    spoiled(s3, large, name, begin, data)
    found = faults_of(s3, small_samples=10, samples=60)
    assert quick is None or any(quick in fault for fault in found)
    assert any(deep in fault for fault in faults_of(s3, deep=True))


@pytest.mark.parametrize("command", [["report", "--text"], ["verify", "--skip-energon"]])
@pytest.mark.parametrize("spoil", ["no index", "a damaged index", "half a shard", "nothing but zeros", "no shard"])
def test_a_spoiled_shard_of_a_store_is_told_of_as_that_of_this_machine(here, s3, capsys, tmp_path, command, spoil):
    copy = shutil.copytree(here, tmp_path / "data") / "wds"
    shard, index = copy / "train-shard-000001.tar", copy / "train-shard-000001.tar.idx"
    data = shard.read_bytes()
    if spoil == "no index":
        index.unlink()
    elif spoil == "a damaged index":
        index.write_bytes(b"\1" * 24)
    elif spoil == "no shard":
        shard.unlink()
    else:
        shard.write_bytes(data[: len(data) // 2] if spoil == "half a shard" else bytes(len(data)))
    upload(copy.parent, f"{s3}/data")
    status, said = ran(capsys, *command, copy)
    there, told = ran(capsys, *command, f"{s3}/data/wds")
    assert (there, told.splitlines()) == (status, said.replace(str(copy.parent), f"{s3}/data").splitlines())


def test_a_stale_index_is_told_as_it_is_on_this_machine(large, s3, tmp_path):
    """The rows are brought to those alone who find others."""
    copy = shutil.copytree(large, tmp_path / "copy")
    with closing(sqlite3.connect(copy / ".nv-meta/index.sqlite")) as database:
        database.execute("UPDATE samples SET byte_size = byte_size + 512 WHERE tar_file_id = 1 AND sample_index = 3")
        database.commit()
    upload(copy, f"{s3}/wds")
    here = [str(fault) for fault in verify(copy, how=HowDeep(deep=True), energon=False).faults]
    assert faults_of(s3, deep=True) == here and any("does not tell the samples of" in fault for fault in here)


@pytest.mark.parametrize("command", [["report", "--text", "--read", "0"], ["verify", "--skip-energon"]])
def test_units_of_an_array_find_their_shards_in_the_store(here, s3, capsys, tmp_path, command):
    upload(here, f"{s3}/data")
    words, plan = [command[0], f"{s3}/data/wds", *command[1:]], ["--plan", tmp_path / "plan"]
    alone = ran(capsys, *words)
    assert ran(capsys, "plan", *words, *plan)[0] == 0
    for index in range(2):
        assert ran(capsys, "run", *plan, "--index", index, "--of", 2, "--workers", 1)[0] == 0
    assert ran(capsys, "finalize", *plan) == alone
    assert "mirror" not in "".join(path.read_text() for path in (tmp_path / "plan").rglob("*.json*"))


def test_energon_reads_the_store_itself_where_verify_asks_it(here, folder, capsys):
    upload(here / "wds", f"{folder}/wds")
    status, said = ran(capsys, "verify", f"{folder}/wds")
    assert status == 0 and "not asked" not in said and " 8 by Energon" in said


def test_shards_of_a_store_become_annotations_and_media_as_those_of_this_machine(here, folder, capsys, tmp_path):
    upload(here / "wds", f"{folder}/wds")
    for name, source in (("near", here / "wds"), ("far", f"{folder}/wds")):
        out = ["--to", "sharegpt", "--dataset-root", tmp_path / name]
        assert ran(capsys, "convert", source, tmp_path / name / "back.json", *out)[0] == 0
    near, far = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.jp*g")} for name in ("near", "far")
    )
    assert near == far and len(near) > 6
    assert (tmp_path / "near/back.json").read_bytes() == (tmp_path / "far/back.json").read_bytes()


def test_a_shard_that_goes_while_others_are_read_is_missing_and_not_full_of_zeros(here, s3):
    upload(here / "wds", f"{s3}/wds")
    with mirror_of(Mirrored(f"{s3}/wds")) as mirror:
        stored = StoredDataset(mirror)
        mine = mirror.folder / "mine.tar"
        mine.write_bytes(b"made here")
        Remote(f"{s3}/wds").remove(["train-shard-000001.tar"])
        for name in ("train-shard-000000.tar", "train-shard-000001.tar", "mine.tar"):
            stored.bring_whole(name)
        assert (stored.root / "train-shard-000000.tar").read_bytes() == (
            here / "wds/train-shard-000000.tar"
        ).read_bytes()
        assert not (stored.root / "train-shard-000001.tar").exists() and mine.read_bytes() == b"made here"


def test_samples_of_a_store_are_compared_with_their_sources(here, s3, capsys):
    upload(here / "wds", f"{s3}/wds")
    local = ran(capsys, "verify", here / "wds", "--against", here, "--skip-energon")
    assert ran(capsys, "verify", f"{s3}/wds", "--against", here, "--skip-energon") == (
        local[0],
        local[1].replace(str(here / "wds"), f"{s3}/wds"),
    )
