"""Stretches of JSON lines converted at the same time: the files are those of one process, and the account adds up."""

import importlib
import json

import pytest
from mm2energon import cli

from pipeline.making import chat, image_entry, set_aside, text_entry, tree_bytes, write_images

pytest_plugins = ["stores"]

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


@pytest.fixture
def root(tmp_path):
    """Lines of several formats, some of them broken, refused, or with a picture inside."""
    root = tmp_path / "root of data"
    name = write_images(root, 1)[0]
    entries = [image_entry(name), text_entry(), 7, image_entry("none.jpg"), image_entry(PIXEL)]
    entries += [{"messages": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Ja: äöü"}]}]
    entries += [{"image": name, "conversations": chat("<image>\u2028What?")}]
    lines = [json.dumps(entry, ensure_ascii=False) for _ in range(6) for entry in entries]
    lines[9:9] = ["", "{broken", '[{"conversations": []}, 3]']
    (root / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(importlib.import_module("mm2energon.pipeline.convert"), "PART_BYTES", 2500)


def words(root, output, *options):
    return ["convert", str(root / "in.jsonl"), str(output), "--dataset-root", str(root), "--check-media", *options]


@pytest.mark.parametrize(("to", "name"), [("sharegpt", "out.json"), ("messages", "out.jsonl")])
def test_two_workers_write_what_one_does(root, tmp_path, to, name):
    made = []
    for workers in ("1", "2"):
        output = root / "out" / name
        assert cli.main([*words(root, output, "--to", to, "--workers", workers)]) == 3
        made.append(tree_bytes(output.parent))
        output.parent.rename(tmp_path / workers)
    assert made[0] == made[1]
    assert not any("convert." in name for name in made[1])
    report = json.loads(made[1]["report.json"])
    assert report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values()) == 45
    assert len(set_aside(tmp_path / "2")) == sum(report["set_aside"].values())


def test_tasks_of_an_array_convert_stretches_each(root, tmp_path, capsys):
    output, plan = root / "out/all.json", tmp_path / "plan"
    assert cli.main(words(root, output, "--to", "sharegpt", "--workers", "1")) == 3
    expected = tree_bytes(output.parent)
    output.parent.rename(tmp_path / "one")
    assert cli.main(["plan", "--plan", str(plan), *words(root, output, "--to", "sharegpt")]) == 0
    assert not output.exists()
    for index in (1, 0, 1):
        assert cli.main(["run", "--plan", str(plan), "--index", str(index), "--of", "2", "--workers", "1"]) == 0
    assert cli.main(["finalize", "--plan", str(plan)]) == 3
    assert tree_bytes(output.parent) == expected


def test_a_source_that_changed_since_it_was_planned_is_refused(root, tmp_path, capsys):
    plan = tmp_path / "plan"
    assert cli.main(["plan", "--plan", str(plan), *words(root, root / "out.json", "--to", "sharegpt")]) == 0
    (root / "in.jsonl").write_text((root / "in.jsonl").read_text("utf-8") + "\n7", "utf-8")
    assert cli.main(["run", "--plan", str(plan), "--index", "0", "--of", "1", "--workers", "1"]) == 0
    assert cli.main(["finalize", "--plan", str(plan)]) == 1
    assert "the units are not those that were planned" in capsys.readouterr().err
    assert not (root / "out.json").exists()


def test_stores_are_refused_where_others_convert(store, capsys, tmp_path):
    (tmp_path / "in.json").write_text("[]")
    out = ["s3://bucket/out.json", "--to", "sharegpt"]
    assert cli.main(["plan", "--plan", str(tmp_path / "plan"), "convert", str(tmp_path / "in.json"), *out]) == 1
    assert "expected where all machines see them" in capsys.readouterr().err
