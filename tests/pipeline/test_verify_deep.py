"""Verify --deep: whatever byte of a shard is another is found, and so is every file that is of another state."""

import json
import os
import pickle
import shutil
import sqlite3

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon import cli
from mm2energon.errors import ToolkitError
from mm2energon.pipeline.verify import HowDeep, verify
from mm2energon.shards.energon import load_split

from pipeline.making import (
    image_dataset,
    image_entry,
    run_shard,
    text_entry,
    video_entry,
    write_frames,
    write_images,
    write_json,
)
from pipeline.planted import edit_json, faults_of, found_at, meta, rewrite


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two small shards of train and one of val."""
    root = tmp_path_factory.mktemp("sound")
    video = write_frames(root, "v", 2, size=(48, 32))
    entries = [*map(image_entry, write_images(root, 3, size=(48, 32))), video_entry(video), text_entry(id="seven")]
    write_json(root / "dataset.json", entries)
    assert run_shard(root, "--max-samples-per-tar", 2, "--train-split", 3) == 0
    assert faults_of(root / "wds") == []
    return root / "wds"


@settings(max_examples=80)
@given(data=st.data())
def test_a_flipped_bit_anywhere_in_a_shard_is_found(sound, data):
    tar = data.draw(st.sampled_from(sorted(sound.glob("*.tar"))))
    whole = tar.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    tar.write_bytes(flipped)
    try:
        assert found_at(sound, tar.name, "its bytes are not those that were written (crc32)") is True
    finally:
        tar.write_bytes(whole)


@pytest.mark.parametrize("tar", range(3))
def test_a_flipped_bit_of_padding_and_headers_names_the_sample(sound, tar):
    """Every place outside of contents, as the indexes tell it, every 37th byte."""
    path = sorted(sound.glob("*.tar"))[tar]
    whole = path.read_bytes()
    with sqlite3.connect(meta(sound, "index.sqlite")) as database:
        number = list(json.loads(meta(sound, ".info.json").read_text())["shard_counts"]).index(path.name)
        parts = database.execute(
            "SELECT sample_key, content_byte_offset, content_byte_size FROM sample_parts JOIN samples "
            "USING (tar_file_id, sample_index) WHERE tar_file_id = ?",
            (number,),
        ).fetchall()
    database.close()
    for key, begin, size in parts:
        padding = range(begin + size, begin + size + -size % 512)
        for place in [*range(begin - 512, begin, 97), *padding[::97]]:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            found = found_at(sound, f"{path.name}/{key}", "")
            # A header that cannot be read has no name; then the place is told.
            assert found is True or any("damaged header at" in fault or "no header" in fault for fault in found)
    path.write_bytes(whole)


def test_bytes_behind_the_end_of_a_tar_are_found(sound):
    tar = sorted(sound.glob("*.tar"))[0]
    whole = tar.read_bytes()
    tar.write_bytes(whole + b"more")
    try:
        assert found_at(sound, tar.name, "bytes behind byte") is True
        assert found_at(sound, tar.name, f"has {len(whole) + 4} bytes, {len(whole)} were written") is True
    finally:
        tar.write_bytes(whole)


@settings(max_examples=80)
@given(data=st.data())
def test_a_flipped_byte_of_the_metadata_raises_nothing_but_our_errors(sound, data):
    path = data.draw(st.sampled_from([*sorted((sound / ".nv-meta").iterdir()), *sorted(sound.glob("*.idx"))]))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :])
    try:
        verify(sound, how=HowDeep(deep=True), energon=False)
    except ToolkitError:
        pass
    finally:
        path.write_bytes(whole)


@pytest.fixture
def older(tmp_path):
    """A dataset, and beside it the state of it from before two of its samples were there."""
    for name, count in (("now", 6), ("before", 4)):
        root = image_dataset(tmp_path / name, count)
        assert run_shard(root, "--max-samples-per-tar", 2, "--train-split", 3) == 0
    return tmp_path / "now/wds", tmp_path / "before/wds"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("index.sqlite", "index.sqlite"),
        ("index.uuid", "index.uuid"),
        (".info.json", ""),
        (".info.yaml", ".info.yaml"),
        ("split.yaml", ""),
        ("mm2energon.json", ""),
    ],
)
def test_a_file_of_an_older_state_is_found(older, name, place):
    now, before = older
    shutil.copy(meta(before, name), meta(now, name))
    assert found_at(now, place, "") is True


def test_the_index_of_a_shard_of_an_older_state_is_found(older):
    now, before = older
    rewrite(before, lambda _shard, key, record: [(key, {**record, "json": record["json"] + b" " * 1024})])
    shutil.copy(before / "train-shard-000000.tar.idx", now)
    assert found_at(now, "train-shard-000000.tar.idx", "offset 1 is") is True


def test_a_dataset_yaml_of_another_target_is_found(older):
    now, _ = older
    meta(now, "dataset.yaml").write_text("__module__: megatron.energon\n__class__: CrudeWebdataset\n")
    assert found_at(now, "dataset.yaml", "is not what its reader needs") is True


def test_a_shard_that_was_moved_to_another_split_is_found(older):
    now, _ = older
    split = yaml.safe_load(meta(now, "split.yaml").read_text())
    moved = split["split_parts"]["train"].pop()
    split["split_parts"]["val"].append(moved)
    meta(now, "split.yaml").write_text(yaml.safe_dump(split))
    assert found_at(now, moved, "is in the split val, for which it was not written") is True


def test_a_shard_that_is_nowhere_any_more_is_found_by_the_manifest(older):
    """Tar, counts and split forgotten together."""
    now, _ = older
    (now / "val-shard-000000.tar").unlink()
    split = yaml.safe_load(meta(now, "split.yaml").read_text())
    split["split_parts"]["val"] = []
    meta(now, "split.yaml").write_text(yaml.safe_dump(split))
    edit_json(meta(now, ".info.json"), lambda info: info["shard_counts"].pop("val-shard-000000.tar"))
    assert found_at(now, "val-shard-000000.tar", "was written (mm2energon.json), and is in no split now") is True


def test_an_idx_without_its_tar_is_found(older):
    now, _ = older
    (now / "val-shard-000009.tar.idx").write_bytes(bytes(8))
    assert found_at(now, "val-shard-000009.tar.idx", "a shard that is not there") is True


def test_rows_of_samples_that_are_in_no_shard_are_found(older):
    now, _ = older
    with sqlite3.connect(meta(now, "index.sqlite")) as database:
        database.execute("INSERT INTO samples VALUES (77, 'other', 0, 0, 512)")
        database.execute("INSERT INTO sample_parts VALUES (77, 0, 'json', 512, 0)")
    database.close()
    assert found_at(now, "index.sqlite", "7 samples of 19 parts, where the shards hold 6 of 18") is True


def test_an_index_whose_pages_are_damaged_is_found(older):
    now, _ = older
    with sqlite3.connect(meta(now, "index.sqlite")) as database:
        database.execute("PRAGMA writable_schema = ON")
        roots = dict(database.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"))
        other = roots["idx_sample_parts_seq"]
        database.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'idx_sample_parts_full'", (other,))
    database.close()
    assert found_at(now, "index.sqlite", "") is True


def test_a_key_twice_in_one_shard_is_found(sound, tmp_path):
    """A tar of two samples of one key, between which another stands; our writer would refuse them."""
    root = tmp_path / "wds"
    shutil.copytree(sound, root)
    tar = root / "train-shard-000000.tar"
    data = tar.read_bytes()
    with sqlite3.connect(meta(root, "index.sqlite")) as database:
        begin, size = database.execute("SELECT byte_offset, byte_size FROM samples WHERE tar_file_id = 0").fetchone()
        end = database.execute("SELECT sum(byte_size) FROM samples WHERE tar_file_id = 0").fetchone()[0]
    database.close()
    tar.write_bytes(data[:end] + data[begin : begin + size] + bytes(1024))
    key = data[:100].decode().partition(".")[0]
    assert found_at(root, f"{tar.name}/{key}", "key occurs twice") is True


def test_a_sample_of_the_number_of_another_is_found(older):
    now, _ = older
    rewrite(now, lambda _shard, key, record: [(key.replace("00000003-p3", "00000002-p3"), record)])
    assert any("is another sample of the number of" in fault and "/00000002-p" in fault for fault in faults_of(now))


def test_the_same_sample_in_two_splits_is_found_under_another_key(older):
    """By what it says and shows and its id."""
    now, _ = older
    records = {}
    rewrite(now, lambda _shard, key, record: [(key, records.setdefault(key, record))])
    copied = records["00000001-p1"] if not _is_in(now, "val", "00000001-p1") else records["00000002-p2"]

    def add(shard, key, record):
        return [(key, record), *([("00000099-copy", copied)] if shard.startswith("val") else [])]

    rewrite(now, add)
    assert found_at(now, "", "is the same sample as") is True
    assert any("stands in two splits, train and val" in fault for fault in faults_of(now))


def _is_in(root, split, key):
    return any(key.encode() in path.read_bytes() for path in root.glob(f"{split}-*.tar"))


def test_an_id_in_two_splits_is_found_where_ids_keep_samples_together(tmp_path):
    names = write_images(tmp_path, 4)
    write_json(tmp_path / "dataset.json", [image_entry(name, id=name[1]) for name in names])
    assert run_shard(tmp_path, "--group-by", "id", "--train-split", 1, "--val-split", 1) == 0
    wds = tmp_path / "wds"

    def same_id(_shard, key, record):
        return [(key, {**record, "json": json.dumps({**json.loads(record["json"]), "id": "9"}).encode()})]

    rewrite(wds, same_id)
    assert found_at(wds, "val-shard-000000.tar/", "has the id of train-shard-000000.tar/") is True


def test_a_medium_that_stands_in_two_splits_under_two_names_is_told_and_is_no_fault(tmp_path):
    first, second = write_images(tmp_path, 2)
    shutil.copy(tmp_path / first, tmp_path / second)
    write_json(tmp_path / "dataset.json", [image_entry(first, id="a"), image_entry(second, id="b")])
    assert run_shard(tmp_path, "--train-split", 1, "--val-split", 1) == 0
    found = verify(tmp_path / "wds", energon=False)
    assert [str(fault) for fault in found.faults] == []
    assert len(found.notes) == 1 and found.notes[0].startswith("1 media of the same bytes stand in two splits")


QUICK = HowDeep(small_samples=0, samples=2, by_energon=1)


def test_a_quick_look_reads_samples_spread_over_the_shards_and_says_so(older, capsys, monkeypatch):
    now, _ = older
    found = verify(now, how=QUICK)
    assert (found.faults, found.deep, sum(found.samples.values())) == ([], False, 6)
    assert 3 <= sum(found.by_webdataset.values()) < 6
    assert found.by_energon == {"train": 1, "val": 1, "test": 0}
    monkeypatch.setattr("mm2energon.commands.verify.HowDeep", lambda deep: HowDeep(deep=deep, small_samples=0))
    assert cli.main(["verify", str(now), "--skip-energon"]) == 0
    assert "--deep reads every byte" in capsys.readouterr().out
    assert cli.main(["verify", str(now), "--skip-energon", "--deep"]) == 0
    assert "--deep" not in capsys.readouterr().out


def test_a_quick_look_finds_what_headers_and_sizes_tell(older):
    now, _ = older
    tar = now / "train-shard-000000.tar"
    tar.write_bytes(tar.read_bytes()[:-512])
    (now / "train-shard-000001.tar").unlink()
    faults = [str(fault) for fault in verify(now, how=QUICK, energon=False).faults]
    assert any(fault.startswith(f"{tar.name}: has ") for fault in faults)
    assert any(fault.startswith("train-shard-000001.tar: No such file or directory") for fault in faults)


def test_a_quick_look_leaves_pictures_that_it_does_not_read_to_the_deep_one(older):
    now, _ = older
    tar = now / "train-shard-000000.tar"
    data = bytearray(tar.read_bytes())
    data[data.rindex(b"\xff\xda") + 40] ^= 1
    tar.write_bytes(data)
    assert verify(now, how=QUICK, energon=False).faults == []
    found = verify(now, how=HowDeep(deep=True, small_samples=0), energon=False)
    assert str(found.faults[0]) == f"{tar.name}: its bytes are not those that were written (crc32)"


def test_workers_find_what_one_process_finds(older):
    now, _ = older
    tar = now / "val-shard-000000.tar"
    tar.write_bytes(tar.read_bytes()[:-1] + b"x")
    alone, shared = (verify(now, energon=False, workers=workers) for workers in (0, 2))
    assert alone == shared and alone.fault_count > 0


@pytest.mark.parametrize("name", ["../outside.tar", "/etc/outside.tar", "a/../../outside.tar"])
def test_metadata_that_lead_out_of_the_folder_are_refused(older, name, capsys):
    now, _ = older
    split = yaml.safe_load(meta(now, "split.yaml").read_text())
    split["split_parts"]["val"] = [name]
    meta(now, "split.yaml").write_text(yaml.safe_dump(split))
    assert cli.main(["verify", str(now)]) == 1
    assert "names a shard" in capsys.readouterr().err


class _Runs:
    """What Python's unpickler would call."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return (os.makedirs, (self._path, 0o755, True))


@pytest.mark.parametrize("part", ["pyd", "a.pkl", "pickle"])
def test_a_part_that_energons_decoder_would_unpickle_is_found_and_not_given_to_it(tmp_path, part):
    assert run_shard(image_dataset(tmp_path, 3), "--target", "crude", "--val-split", 0) == 0
    now = tmp_path / "wds"
    hostile = pickle.dumps(_Runs(tmp_path / "ran"))
    rewrite(now, lambda _shard, key, record: [(key, {**record, part: hostile})])
    found = verify(now)
    assert any(f"has a part '{part}', which no target writes" in fault.what for fault in found.faults)
    assert not (tmp_path / "ran").exists() and found.by_energon == {}
    list(load_split(now, "train"))
    assert (tmp_path / "ran").exists(), "the part was not hostile at all"


@pytest.mark.parametrize(
    "content",
    [
        {"__module__": "os", "__class__": "mkdir", "path": "{ran}"},
        {"sample_loader": "loader.py:sample_loader", "part_filter": "loader.py:part_filter"},
        {"subflavors": {"a": {"__module__": "os", "__function__": "mkdir", "path": "{ran}"}}},
        {"subflavors": {"__module__": "os", "__function__": "mkdir", "path": "{ran}"}},
    ],
    ids=["class", "code of its own", "nested", "function"],
)
def test_a_dataset_yaml_that_names_more_than_its_reader_is_not_given_to_energon(older, tmp_path, content):
    now, _ = older
    plain = yaml.safe_load(meta(now, "dataset.yaml").read_text())
    text = yaml.safe_dump({**plain, **content}).replace("{ran}", str(tmp_path / "ran"))
    meta(now, "dataset.yaml").write_text(text)
    code = f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n"
    meta(now, "loader.py").write_text(code)
    found = verify(now)
    assert found.fault_count and found.by_energon == {} and not (tmp_path / "ran").exists()


def test_offsets_that_lead_into_a_picture_are_not_given_to_energon(older):
    now, _ = older
    idx = now / "train-shard-000000.tar.idx"
    whole = idx.read_bytes()
    idx.write_bytes(whole[:8] + (1024).to_bytes(8, "little") + whole[16:])
    found = verify(now)
    assert found.by_energon == {} and "Energon was not asked" in found.notes[0]
