"""Names of every kind go through frames, shard and verify; keys, shards and what is shown stay plain."""

import json
import re
import unicodedata

import pytest
from media import write_clip, write_image
from mm2energon import cli

from pipeline.making import image_entry, number_of, run_shard, set_aside, stored, text_entry, video_entry, write_json

SAFE_KEY = re.compile(r"[0-9]{8}(-[A-Za-z0-9_-]+)?")
SAFE_SHARD = re.compile(r"(train|val|test)-shard-[0-9]{6}\.tar")

#: Kind -> names of videos in one folder.
NAMES = {
    "control characters": [
        "two\nlines.mp4",
        "tab\t.mp4",
        "red\x1b[31m.mp4",
        "\r.mp4",
        "gpj.\u202e.mp4",
        "\x7f\x9b.mp4",
    ],
    "spaces": [" a.mp4", "a .mp4", "a  b.mp4", "\u00a0.mp4", "\u3000.mp4"],
    "dashes": ["-rf.mp4", "--help.mp4", "-.mp4"],
    "of a shell": ["'.mp4", '".mp4', "$(x).mp4", "`x`.mp4", "*?.mp4", "a;b&c|d.mp4", "!~#.mp4", "\\.mp4"],
    "of formats": ["%d.mp4", "%s%n.mp4", "{0}.mp4", "100%.mp4", "12:30.mp4", "concat:a.mp4", "file:a.mp4"],
    "dots": [".hidden.mp4", "...mp4", "a..mp4", "x.y.z.mp4", "a.mp4.mp4", "a"],
    "two forms": [unicodedata.normalize(form, "été 日本 😀.mp4") for form in ("NFC", "NFD")],
    "two cases": ["a.mp4", "A.mp4", "a.MP4", "A.MP4"],
    "one stem": ["a.mp4", "a.mkv", "a.webm.mp4", "a.avi"],
    "long": ["n" * 246 + ".mp4", "é" * 123 + ".mp4"],
    "of ours": ["dataset.mp4", "wds.mp4", "set_aside.mp4", "000001.mp4", "a.frames.mp4"],
}


def numbers(videos):
    return [[number_of(frame) for frame in frames] for frames in videos]


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def is_plain(text):
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("kind", NAMES)
def test_videos_and_images_of_odd_names_reach_the_shards_as_themselves(tmp_path, capsys, kind):
    folder = tmp_path / "clips"
    folder.mkdir()
    entries = []
    for place, name in enumerate(NAMES[kind]):
        container = {"a": "mp4"}.get(name)
        write_clip(folder / "made.mp4" if container else folder / name, frames=16, rate=10, first=20 * place)
        if container:
            (folder / "made.mp4").rename(folder / name)
        picture = f"i{place}{name[:-6]}.png"
        write_image(folder / picture, number=100 + place)
        entries.append(video_entry(f"clips/{name}", id=name))
        entries.append(image_entry(f"clips/{picture}", id=f"image {place}"))
    write_json(tmp_path / "annotations.json", entries)
    assert run("frames", "--dataset-root", tmp_path, "--time-interval", 0.5, "--workers", 1) == 0
    assert run_shard(tmp_path, "--val-split", 0) == 0
    assert run("verify", tmp_path / "wds", "--skip-energon") == 0
    found = {sample.text["id"]: sample for sample in stored(tmp_path / "wds")}
    assert len(found) == len(entries)
    for place, name in enumerate(NAMES[kind]):
        first = 20 * place
        assert numbers(found[name].videos) == [[first, first + 5, first + 10, first + 15]]
        assert [number_of(image) for image in found[f"image {place}"].images] == [100 + place]
    assert all(SAFE_KEY.fullmatch(sample.key) and SAFE_SHARD.fullmatch(sample.shard) for sample in found.values())
    said = capsys.readouterr()
    assert is_plain(said.out) and is_plain(said.err)


@pytest.mark.parametrize("command", ["frames", "shard"])
def test_what_is_said_of_odd_names_that_are_refused_is_plain(tmp_path, capfd, command):
    """Also by the libraries that decode, which write to the terminal by themselves."""
    names = NAMES["control characters"]
    entries = [text_entry()]
    for place, name in enumerate(names):
        (tmp_path / name).write_bytes([b"", b"\0\0\0\x18ftypmp42" + bytes(9), b"not a video" * 99][place % 3])
        entries += [video_entry(name), image_entry(name), image_entry(f"gone/{name}"), video_entry(f"../{name}")]
    write_json(tmp_path / "odd\x1b[31m\n.json", entries)
    (tmp_path / "cut\x1b[31m\n.json").write_text('[{"x": 1')
    (tmp_path / "odd\x1b[31m\n.tar").write_bytes(b"no archive")
    for decoder in ("pyav", "opencv"):
        options = ["--allow-set-aside", "--decoder", decoder, "--workers", 1]
        options += ["--json", "odd\x1b[31m\n.json", "--restart"] if command == "shard" else []
        assert run(command, "--dataset-root", tmp_path, *options) == 0
    said = capfd.readouterr()
    assert said.out and is_plain(said.out) and is_plain(said.err)


def test_errors_and_complaints_about_odd_names_are_plain(tmp_path, capfd):
    odd = tmp_path / "odd\x1b[31m\n"
    assert run("shard", "--dataset-root", odd) == 1
    assert run("verify", odd) == 1
    assert run("doctor", odd) == 1
    assert run("normalize", "--input-file", odd) == 1
    for command in ("frames", "info", "retarget"):
        with pytest.raises(SystemExit):
            run(command, "--no-such\x1b[31moption", odd, "\x1b[31m")
    said = capfd.readouterr()
    assert is_plain(said.out) and is_plain(said.err) and "\\x1b" in said.err


def test_members_of_archives_with_odd_names_are_told_plainly(tmp_path, capfd):
    from pipeline.hostile import END_OF_TAR, tar_file

    (tmp_path / "v.tar").write_bytes(tar_file(b"../\x1b[31m\n.mp4", b"x") + END_OF_TAR)
    write_json(tmp_path / "a.json", [text_entry()])
    assert run("frames", "--dataset-root", tmp_path, "--no-frames") == 0
    said = capfd.readouterr()
    assert "\\x1b[31m\\n.mp4" in said.out and is_plain(said.out)


def test_a_name_that_leaves_no_room_for_the_names_of_its_frames_is_set_aside(tmp_path):
    name = "n" * 251 + ".mp4"
    write_clip(tmp_path / "v.mp4", frames=11, rate=10).rename(tmp_path / name)
    write_json(tmp_path / "dataset.json", [video_entry(name), text_entry()])
    assert run_shard(tmp_path) == 3
    assert [line["reason"] for line in set_aside(tmp_path / "wds")] == ["bad-sidecar"]


def test_a_name_that_is_no_utf_8_is_written_with_the_escapes_of_json_or_sets_its_entry_aside(tmp_path):
    write_image(tmp_path / "a.png").rename(tmp_path / "\udcff.png")
    text = json.dumps([image_entry("\udcff.png"), text_entry()])
    (tmp_path / "escaped.json").write_text(text)
    (tmp_path / "raw.json").write_bytes(text.encode().replace(b"\\udcff", b"\xff"))
    for name, status in (("escaped", 0), ("raw", 3)):
        output = tmp_path / f"wds-{name}"
        assert run_shard(tmp_path, "--json", f"{name}.json", "--output", output, "--val-split", 0) == status
        assert [line["reason"] for line in set_aside(output)] == ["broken-json"] * (status == 3)
        assert len(stored(output)) == 2 - (status == 3)


def test_files_whose_names_are_no_utf_8_are_passed_over_or_told_and_stop_no_other(tmp_path, capfd):
    odd = tmp_path / "\udcff\udcfe"
    odd.mkdir()
    write_clip(tmp_path / "v.mp4", frames=11, rate=10).rename(odd / "\udcff.mp4")
    write_image(tmp_path / "i.png").rename(odd / "\udcff.png")
    write_json(odd / "\udcff.json", [text_entry(1), image_entry("\udcff.png"), video_entry("\udcff.mp4")])
    (odd / "other\udcff.json").write_text("{}")
    write_json(tmp_path / "a.json", [text_entry()])
    assert run("frames", "--dataset-root", tmp_path) == 3
    (line,) = set_aside(tmp_path)
    assert line["reason"] == "unreadable-video" and "no UTF-8" in line["message"]
    assert len(json.loads((tmp_path / "dataset.json").read_text())) == 3
    assert run_shard(tmp_path, "--val-split", 0) == 0
    assert len(stored(tmp_path / "wds")) == 3
    assert is_plain(capfd.readouterr().out)


#: Ids as datasets have them; the last is of an entry that has none.
IDS = [
    0,
    17,
    -3,
    1.5,
    10**30,
    True,
    None,
    "",
    "a.b.c",
    "a/b",
    "../../x",
    "-x",
    "x" * 10_000,
    "日本語",
    "a b\n\x1b",
    "same",
    "same",
]
IDS += [["a", 1], {"k": "v"}, "__x__", "con", "00000003", "\u202e", "%s"]


def test_ids_of_every_kind_give_plain_keys_and_are_kept_in_the_json(tmp_path, capfd):
    entries = [text_entry(number, id=one) for number, one in enumerate(IDS)] + [text_entry(len(IDS))]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--max-samples-per-tar", 5) == 0
    assert run("verify", tmp_path / "wds", "--skip-energon") == 0
    samples = stored(tmp_path / "wds")
    assert len({sample.key for sample in samples}) == len(samples) == len(entries)
    assert all(SAFE_KEY.fullmatch(sample.key) and len(sample.key) < 80 for sample in samples)
    kept = {json.dumps(sample.text["conversations"][0]["value"]): sample.text.get("id") for sample in samples}
    for number, one in enumerate(IDS):
        assert kept[json.dumps(f"How much is {number} and 1?")] == one
    assert is_plain(capfd.readouterr().out)


def test_ids_that_are_missing_in_some_entries_or_the_same_join_groups_only_where_they_are_said(tmp_path):
    entries = [text_entry(n, **({"id": ["same", 5, "5", 5.0][n % 4]} if n % 2 else {})) for n in range(40)]
    write_json(tmp_path / "dataset.json", entries)
    assert run_shard(tmp_path, "--group-by", "id", "--train-split", 1, "--val-split", 1) == 0
    samples = stored(tmp_path / "wds")
    assert len(samples) == 40
    splits = {}
    for sample in samples:
        if "id" in sample.text:
            splits.setdefault(str(sample.text["id"]), set()).add(sample.split)
    assert all(len(found) == 1 for found in splits.values())


def test_energon_reads_shards_of_odd_names(tmp_path):
    folder = tmp_path / "--odd \x1b[31m\n'é"
    folder.mkdir()
    entries = []
    for number, name in enumerate([*NAMES["control characters"], *NAMES["of a shell"]]):
        write_image(folder / f"{name[:-4]}.png", number=number)
        entries.append(image_entry(f"{name[:-4]}.png", id=name))
    write_json(folder / "dataset.json", entries)
    assert run_shard(folder, "--val-split", 0) == 0
    assert run("verify", folder / "wds") == 0
