"""Doctor: every fault of the original scripts, and every one that is planted, is found; sound shards have none."""

import io
import json
import os
import pickle
import re
import shutil
import struct
import tarfile
from pathlib import Path

import mm2energon
import numpy as np
import pytest
import yaml
from media import draw_colours
from mm2energon import cli
from mm2energon.errors import InputError
from mm2energon.pipeline.doctor import examine
from mm2energon.pipeline.doctor_findings import FINDINGS
from mm2energon.pipeline.doctor_sources import Sources, Undecided, compare
from mm2energon.pipeline.doctor_tars import FoundTar
from mm2energon.targets import TARGETS
from PIL import Image
from webdataset.writer import imageencoder

from pipeline import originals
from pipeline.making import chat, run_shard, tree_bytes, tree_times, write_json
from pipeline.planted import pixels

GUIDE = Path(mm2energon.__file__).parents[1] / "multimodal_data_preprocessing/dataset_preparation.md"
#: What is wrong with whatever the original script wrote under the Energon of its time, pictures and videos in it.
ALWAYS = {"re-encoded", "colours-untold", "half-seconds", "no-info-json", "no-index", "no-uuid"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Six samples in three shards as the original script writes them today: train and val, indexed by Energon 7."""
    root = tmp_path_factory.mktemp("made")
    originals.write_sources(root)
    originals.prepare(originals.convert(root, samples_in_a_shard=2))
    return root


@pytest.fixture
def copy(made, tmp_path):
    """A copy of it, to break."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def found(folder, sources=None):
    """Code -> (count, example)."""
    if sources is None:
        examination = examine(folder)
    else:
        examination = examine(folder, sources=Sources(sources, sources / "dataset.json"))
    return {finding.code: (finding.count, finding.example) for finding in examination.findings}


def planted(folder):
    """The codes that are not those of every dataset of the original script."""
    return set(found(folder)) - ALWAYS


def edit_yaml(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def rewrite(tar, change):
    """Write a tar anew, its members as `change` makes them of (name, content); None leaves one out."""
    members = []
    with tarfile.open(tar) as before:
        for member in before:
            members.append(change(member.name, before.extractfile(member).read()))
    write_tar(tar, [member for member in members if member is not None])


def write_tar(tar, members, user="bigdata"):
    with tarfile.open(tar, "w") as after:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.uname = len(data), user
            after.addfile(info, io.BytesIO(data))


def test_one_shard_of_the_original_script_is_all_in_val(tmp_path):
    originals.write_sources(tmp_path)
    shards = originals.as_energon_5(originals.prepare(originals.convert(tmp_path)))
    assert yaml.safe_load((shards / ".nv-meta/split.yaml").read_text())["split_parts"]["train"] == []
    codes = found(shards)
    assert set(codes) == {*ALWAYS, "empty-train"}
    assert codes["re-encoded"][0] == 12  # 4 pictures, and 2 videos of 5 frames of which the last was cut
    assert (codes["half-seconds"][0], codes["colours-untold"][0]) == (2, 6)


def test_the_last_shard_at_7_2_1_is_in_no_split(tmp_path):
    originals.write_sources(tmp_path, images=10, videos=0)
    shards = originals.convert(tmp_path, samples_in_a_shard=1)
    originals.prepare(shards, ratios=[("train", 7), ("val", 2), ("test", 1)])
    assert found(shards)["unlisted-shard"][0] == 1


def test_what_energon_7_prepared_lacks_no_index(made):
    assert set(found(made / "wds")) == {"re-encoded", "colours-untold", "half-seconds"}


def test_the_sources_say_of_each_sample_that_its_colours_are_swapped(made):
    examination = examine(made / "wds", sources=Sources(made, made / "dataset.json"))
    codes = {finding.code: finding.count for finding in examination.findings}
    assert codes == {"re-encoded": 12, "colours-swapped": 6, "half-seconds": 2}
    assert (examination.compared, examination.decided) == (6, 6)


def test_the_sources_acquit_what_a_mended_script_wrote(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "data", ignore=shutil.ignore_patterns("wds"))
    plain = originals._encoded
    read = originals.cv2.imread
    monkeypatch.setattr(originals.cv2, "imread", lambda *given: read(*given)[:, :, ::-1].copy())
    shards = originals.prepare(originals.convert(tmp_path / "data", samples_in_a_shard=2))
    assert originals._encoded is plain
    assert set(found(shards, tmp_path / "data")) == {"re-encoded", "half-seconds"}


def stamped(number, size):
    """A white page with a small spot of colour."""
    page = np.full((size[1], size[0], 3), 235, np.uint8)
    page[10:30, 5 + number : 25 + number] = draw_colours(number, (20, 20))
    return page


@pytest.mark.parametrize("draw", [draw_colours, stamped, lambda n, _size: draw_colours(n, (31, 47)) // 8 + 100])
@pytest.mark.parametrize("quality", [30, 95])
def test_what_is_decided_of_colours_is_right(draw, quality):
    """JPEGs of any quality, encoded anew the way the original script does it, and with the swap mended."""
    for number in range(8):
        buffer = io.BytesIO()
        Image.fromarray(draw(number, (320, 200))).save(buffer, "JPEG", quality=quality)
        pixels = np.asarray(Image.open(buffer))
        assert compare(imageencoder(pixels[:, :, ::-1].copy(), "jpg"), buffer.getvalue()) in ("swapped", "gray")
        assert compare(imageencoder(pixels, "jpg"), buffer.getvalue()) in ("right", "gray")
        other = imageencoder(draw_colours(number + 100, pixels.shape[1::-1]), "jpg")
        with pytest.raises(Undecided):
            compare(other, buffer.getvalue())


def test_gray_pictures_have_no_colours_to_swap(tmp_path):
    originals.write_gray(tmp_path / "gray.png")
    write_json(tmp_path / "dataset.json", [{"conversations": chat("<image>q"), "images": ["gray.png"]}])
    shards = originals.prepare(originals.convert(tmp_path))
    examination = examine(shards, sources=Sources(tmp_path, tmp_path / "dataset.json"))
    assert (examination.compared, examination.decided) == (1, 1)
    assert examination.codes() == {"empty-train", "re-encoded"}


def test_a_source_that_is_another_picture_now_decides_nothing(copy):
    originals.write_colours(copy / "pictures/1.png", 900)
    (copy / "pictures/2.png").unlink()
    count, example = found(copy / "wds", copy)["colours-untold"]
    assert count == 2 and "pretrain-0.tar/1" in example
    assert found(copy / "wds", copy)["colours-swapped"][0] == 4


def test_entries_that_moved_in_the_file_are_still_found(copy):
    entries = json.loads((copy / "dataset.json").read_text())
    write_json(copy / "dataset.json", entries[::-1])
    assert found(copy / "wds", copy)["colours-swapped"][0] == 6


def test_a_source_that_stands_on_its_side_is_told_apart(tmp_path):
    picture = Image.fromarray(draw_colours(3, (96, 64)))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    write_json(tmp_path / "dataset.json", [{"conversations": chat("<image>q"), "images": ["turned.jpg"]}])
    shards = originals.prepare(originals.convert(tmp_path))
    assert found(shards, tmp_path)["colours-swapped"][0] == 1


def test_a_rate_that_is_not_of_the_source_is_found(copy):
    (copy / "clips/0.json").write_text('{"fps": "1.0"}')
    codes = found(copy / "wds", copy)
    assert codes["other-seconds"] == (1, "pretrain-2.tar/4: [0.5], [2.0] was expected")
    assert codes["half-seconds"][0] == 1


def test_the_first_version_of_the_script_wrote_no_seconds_and_odd_frames(tmp_path):
    originals.write_sources(tmp_path)
    shards = originals.prepare(originals.convert(tmp_path, with_seconds=False))
    codes = found(shards)
    assert (codes["no-seconds"][0], codes["lost-in-training"][0]) == (2, 2)
    assert "odd last frame" in codes["lost-in-training"][1] and "half-seconds" not in codes


def test_what_pai_s_head_writes_is_not_what_it_reads(tmp_path):
    originals.write_sources(tmp_path)
    codes = found(originals.prepare(originals.convert(tmp_path), target="pai-v2"))
    assert (codes["unread-part"][0], codes["lacking-part"][0], codes["other-turns"][0]) == (2, 6, 6)
    assert "videos" in codes["unread-part"][1] and "mp3s, mp4s" in codes["lacking-part"][1]
    assert "bad-field-map" in codes


@pytest.mark.parametrize("target", list(TARGETS))
def test_shards_of_ours_have_nothing_wrong(tmp_path, target):
    originals.write_sources(tmp_path)
    assert run_shard(tmp_path, "--target", target, "--no-extract") == 0
    assert found(tmp_path / "wds") == {}
    assert found(tmp_path / "wds", tmp_path) == {}


def test_seconds_that_were_asked_for_are_no_finding(tmp_path):
    originals.write_sources(tmp_path)
    assert run_shard(tmp_path, "--second-per-grid-ts", "pai", "--no-extract") == 0
    examination = examine(tmp_path / "wds", sources=Sources(tmp_path, tmp_path / "dataset.json"))
    assert examination.findings == [] and examination.notes == []
    assert "1 / fps" in examine(tmp_path / "wds").notes[0]


def test_a_folder_of_bare_tars_lacks_everything(copy):
    shutil.rmtree(copy / "wds/.nv-meta")
    for path in (copy / "wds").glob("*.idx"):
        path.unlink()
    assert planted(copy / "wds") == {"no-metadata", "no-idx"}
    assert found(copy / "wds")["no-idx"][0] == 3


META = ".nv-meta"


def no_file(name):
    return lambda shards: (shards / name).unlink()


def in_yaml(name, change):
    return lambda shards: edit_yaml(shards / META / name, change)


def one_offset_off(shards):
    path = shards / "pretrain-0.tar.idx"
    offsets = list(struct.unpack("<3Q", path.read_bytes()))
    offsets[1] += 512
    path.write_bytes(struct.pack("<3Q", *offsets))


def wrong_count(shards):
    path = shards / META / ".info.json"
    info = json.loads(path.read_text())
    info["shard_counts"]["pretrain-1.tar"] = 1
    path.write_text(json.dumps(info))


def another_tar(shards):
    shutil.copy(shards / "pretrain-0.tar.idx", shards / "pretrain-7.tar.idx")
    rewrite(shutil.copy(shards / "pretrain-0.tar", shards / "pretrain-7.tar"), lambda name, data: (f"9{name}", data))


def listed_twice(content):
    content["split_parts"]["val"].append(content["split_parts"]["train"][0])


def with_loader(content):
    content.pop("field_map")
    content.update({"sample_loader": "sample_loader.py:load", "part_filter": "sample_loader.py:keep"})


PLANTED = [
    (no_file("pretrain-1.tar.idx"), {"no-idx"}),
    (lambda shards: (shards / "pretrain-1.tar.idx").write_bytes(b"1234567"), {"wrong-idx"}),
    (one_offset_off, {"wrong-idx"}),
    (no_file(f"{META}/index.sqlite"), {"no-index"}),
    (lambda shards: (shards / META / "index.sqlite").write_bytes(b"none"), {"stale-index"}),
    (no_file(f"{META}/index.uuid"), {"no-uuid"}),
    (no_file(f"{META}/.info.json"), {"no-counts"}),
    (wrong_count, {"wrong-count"}),
    (no_file(f"{META}/dataset.yaml"), {"no-dataset-yaml"}),
    (lambda shards: (shards / META / "dataset.yaml").write_text("a: [b"), {"no-dataset-yaml"}),
    (in_yaml("dataset.yaml", lambda content: content["field_map"].pop("videos")), {"bad-field-map"}),
    (in_yaml("dataset.yaml", with_loader), {"bad-field-map", "no-sample-loader"}),
    (no_file(f"{META}/split.yaml"), {"no-split-yaml"}),
    (in_yaml("split.yaml", lambda content: content["split_parts"].pop("test")), {"missing-split"}),
    (in_yaml("split.yaml", lambda content: content["split_parts"]["train"].pop()), {"unlisted-shard"}),
    (in_yaml("split.yaml", lambda content: content["split_parts"]["val"].append("b.tar")), {"absent-shard"}),
    (in_yaml("split.yaml", listed_twice), {"shard-in-two-splits"}),
    (another_tar, {"unlisted-shard", "wrong-count", "stale-index", "wrong-idx"}),
    (no_file("pretrain-0.tar"), {"absent-shard"}),
]


@pytest.mark.parametrize(("plant", "codes"), PLANTED, ids=[str(number) for number in range(len(PLANTED))])
def test_a_planted_fault_is_found_and_no_other(copy, plant, codes):
    shards = copy / "wds"
    plant(shards)
    assert planted(shards) - {"no-index", "no-uuid", "no-info-json"} == codes - ALWAYS
    assert codes <= set(found(shards))


def energon_reads(shards, split="train"):
    """How many samples Energon itself reads, or the name of its error."""
    from mm2energon.shards import energon  # the stand-in for Pai's reader, and the pass; no check of ours

    config = yaml.safe_load((shards / META / "dataset.yaml").read_text())
    energon.stand_in(config["__module__"], config["__class__"])
    try:
        return sum(1 for _ in energon._one_pass(shards, split, "dataset.yaml", 0, True))
    except Exception as error:  # noqa: BLE001 (whatever Energon raises is the outcome)
        return type(error).__name__


@pytest.mark.parametrize(
    ("plant", "split", "outcome"),
    [
        (lambda shards: None, "train", 4),
        (no_file("pretrain-1.tar.idx"), "train", "FileNotFoundError"),
        (one_offset_off, "train", "ValueError"),
        (no_file(f"{META}/.info.json"), "train", "ValueError"),
        (wrong_count, "train", 3),
        (in_yaml("split.yaml", lambda content: content["split_parts"].update(train=[])), "train", "EmptyDatasetError"),
        (in_yaml("split.yaml", lambda content: content["split_parts"].pop("test")), "test", "AssertionError"),
        (in_yaml("split.yaml", lambda content: content["split_parts"]["train"].pop()), "train", 2),
        (in_yaml("split.yaml", lambda content: content["split_parts"]["val"].append("b.tar")), "val", "KeyError"),
        (no_file(f"{META}/index.sqlite"), "train", 4),
    ],
)
def test_what_a_finding_says_of_training_is_what_energon_does(copy, plant, split, outcome):
    plant(copy / "wds")
    assert energon_reads(copy / "wds", split) == outcome


def test_ranges_of_shards_are_expanded(copy):
    edit_yaml(
        copy / "wds/.nv-meta/split.yaml",
        lambda content: content["split_parts"].update(train=["pretrain-{0..1}.tar"], val=["pretrain-2.tar"]),
    )
    assert planted(copy / "wds") == set()


def test_a_stale_index_is_found(copy):
    """Keys of the tar that the index does not know; its offsets and counts stay."""
    rewrite(copy / "wds/pretrain-1.tar", lambda name, data: (f"7{name[1:]}", data))
    assert "stale-index" in planted(copy / "wds")


def test_a_tar_that_was_cut_off_is_found_and_what_is_whole_of_it_is_read(copy):
    tar = copy / "wds/pretrain-0.tar"
    with tarfile.open(tar) as members:
        picture, text, _ = members.getmembers()[-3:]
    os.truncate(tar, picture.offset_data + 5)
    assert found(copy / "wds")["broken-shard"] == (1, f"pretrain-0.tar: {cut_off(picture)}")
    assert [str(sample) for sample in whole_samples(copy / "wds", tar.name)] == ["pretrain-0.tar/0"]
    os.truncate(tar, text.offset)
    assert "its end is missing" in found(copy / "wds")["broken-shard"][1]
    assert len(whole_samples(copy / "wds", tar.name)) == 1  # it lacks two parts


def cut_off(member):
    return f"a member of {member.size} bytes at {member.offset_data - 512} is cut off"


def whole_samples(shards, name):
    return [sample for sample in FoundTar(shards, name).samples() if not sample.cut_off]


def test_a_flipped_byte_in_a_header_is_found(copy):
    tar = copy / "wds/pretrain-0.tar"
    data = bytearray(tar.read_bytes())
    with tarfile.open(tar) as members:
        header = members.getmembers()[3].offset_data - 512
    data[header + 3] ^= 1
    tar.write_bytes(data)
    assert "broken-shard" in planted(copy / "wds")


def test_ids_with_dots_and_ids_that_come_twice_are_found(tmp_path):
    for number in range(3):
        originals.write_colours(tmp_path / f"{number}.png", number)
    ids = ["a.b", "twice", "twice", "x/y"]
    entries = [{"id": name, "conversations": chat("<image>q"), "images": ["0.png"]} for name in ids]
    write_json(tmp_path / "dataset.json", entries)
    codes = found(originals.convert(tmp_path))
    assert codes["dotted-key"] == (1, "pretrain-0.tar/a.b: the key is 'a.b'")
    assert codes["repeated-key"] == (1, "pretrain-0.tar/twice")
    assert codes["bad-key"][0] == 1
    assert examine(tmp_path / "wds").samples == 4


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_names_a_function_is_found_and_not_run(copy, tmp_path):
    trap = tmp_path / "trap"
    bomb = pickle.dumps([Bomb(trap)])
    rewrite(copy / "wds/pretrain-0.tar", lambda name, data: (name, bomb if name == "1.jpgs" else data))
    count, example = found(copy / "wds")["unsafe-pickle"]
    assert count == 1 and "pretrain-0.tar/1.jpgs" in example
    assert not trap.exists()
    pickle.loads(bomb)
    assert trap.exists()  # the trap is one


@pytest.mark.parametrize(
    ("part", "data", "code"),
    [
        ("json", b"{", "bad-json"),
        ("json", b'{"messages": []}', "bad-json"),
        ("json", b"[" * 100_000, "bad-json"),
        ("jpgs", pickle.dumps([[pixels()]]), "unsafe-pickle"),
        ("jpgs", pickle.dumps([b"no picture"]), "lost-in-training"),
        ("jpgs", pickle.dumps([]), "lost-in-training"),
        ("json", json.dumps({"conversations": chat("<image>q"), "second_per_grid_ts": [1.0]}).encode(), "bad-seconds"),
        ("jpgs", None, "lacking-part"),
    ],
)
def test_a_sample_that_the_reader_loses_is_found(copy, part, data, code):
    def change(name, content):
        return (name, content) if name != f"0.{part}" else None if data is None else (name, data)

    rewrite(copy / "wds/pretrain-0.tar", change)
    count, example = found(copy / "wds")[code]
    assert count == 1 and "pretrain-0.tar/0" in example


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_links_or_devices_is_read_up_to_them(copy, kind):
    with tarfile.open(copy / "wds/pretrain-0.tar", "a") as tar:
        info = tarfile.TarInfo("8.json")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    assert "'8.json' is no plain file" in found(copy / "wds")["broken-shard"][1]
    assert examine(copy / "wds").samples == 6


def test_members_without_a_part_and_bytes_behind_the_end_are_found(copy):
    with tarfile.open(copy / "wds/pretrain-0.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("nodot"))
    assert found(copy / "wds")["odd-member"] == (1, "pretrain-0.tar/nodot")
    with (copy / "wds/pretrain-1.tar").open("ab") as tar:
        tar.write((copy / "wds/pretrain-0.tar").read_bytes())
    assert "there is more behind" in found(copy / "wds")["broken-shard"][1]


def test_hostile_metadata_is_a_finding(copy):
    meta = copy / "wds/.nv-meta"
    aliases = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    bomb = f"a0: &a0 [x, x]\n{aliases}\n"
    train = "['b-{0..99999999999}.tar', '{1{2', *a11]"
    splits = f"split_parts:\n  train: {train}\n  val: *a11\n  test: []\nexclude: *a11\n"
    (meta / "split.yaml").write_text(bomb + splits)
    (meta / "dataset.yaml").write_text(f"{bomb}__class__: *a11\n__module__: b\nsample_loader: *a11\nfield_map: *a11\n")
    (meta / ".info.json").write_text("[" * 100_000)
    (meta / "index.sqlite").unlink()
    (meta / "index.uuid").unlink()
    os.mkfifo(meta / "index.uuid")
    codes = planted(copy / "wds") | set(found(copy / "wds"))
    assert {"absent-shard", "unlisted-shard", "empty-train", "no-sample-loader", "no-counts", "no-uuid"} <= codes


def test_nothing_is_written(copy):
    before, times = tree_bytes(copy), tree_times(copy)
    found(copy / "wds", copy)
    assert (tree_bytes(copy), tree_times(copy)) == (before, times)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("")])
def test_what_is_no_folder_of_tars_cannot_be_looked_at(tmp_path, make, capsys):
    make(tmp_path / "none")
    with pytest.raises(InputError):
        examine(tmp_path / "none")
    assert cli.main(["doctor", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_the_command_says_what_to_do_and_exits_3(made, capsys):
    assert cli.main(["doctor", str(made / "wds")]) == 3
    said = capsys.readouterr().out
    assert "WRONG half-seconds (2 samples)" in said and "mm2energon repair" in said
    assert "cannot be told without the sources" in said
    assert cli.main(["doctor", str(made / "wds"), "--from-sources", str(made)]) == 3
    assert "6 samples with pictures: of 6 the sources tell" in capsys.readouterr().out


def test_a_machine_is_told_the_same(made, capsys):
    assert cli.main(["doctor", str(made / "wds"), "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert {finding["code"] for finding in said["findings"]} == {"re-encoded", "colours-untold", "half-seconds"}
    assert (said["samples"], said["pictures"], said["written_by"]) == (6, 12, "the original script")
    assert all(finding["repair"] and finding["effect"] for finding in said["findings"])


def test_sources_without_annotations_are_refused(made, tmp_path, capsys):
    assert cli.main(["doctor", str(made / "wds"), "--from-sources", str(tmp_path)]) == 1
    assert "--annotations" in capsys.readouterr().err


def test_the_guide_lists_every_finding():
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \| (.+) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {code: rest for code, *rest in rows if code in FINDINGS}
    assert listed == {code: [kind.what, kind.effect, kind.repair] for code, kind in FINDINGS.items()}
