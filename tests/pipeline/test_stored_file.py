"""Files that normalize, convert and filter make in a store: those of this machine, published when they are whole."""

import json
import shutil
from pathlib import Path

import pytest
from mm2energon import cli
from mm2energon.remote import Remote

from pipeline.making import chat, image_entry, text_entry, tree_bytes, video_entry, write_frames, write_images
from pipeline.test_stored import download, upload
from pipeline.test_stored_root import reasons, state_of, without_places

pytest_plugins = ["stores"]

COMMANDS = {
    "normalize": lambda source, output: ["normalize", "--input-file", source, "--output-file", output],
    "convert": lambda source, output: ["convert", source, output, "--to", "llama-factory"],
    "filter": lambda source, output: [
        "filter",
        source,
        output,
        "--model",
        "qwen2.5-vl",
        "--max-tokens",
        "200",
        "--fit",
    ],
}


def run(name, source, output, *options):
    return cli.main([str(word) for word in [*COMMANDS[name](source, output), *options]])


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Pictures, some of them too large, frames of others, a folder of pictures, broken and missing ones."""
    root = tmp_path_factory.mktemp("given")
    small, large = write_images(root, 2)[0], write_images(root / "large", 1, size=(640, 480))[0]
    entries = [image_entry(small), image_entry(f"large/{large}"), image_entry("none.jpg"), 7]
    entries += [video_entry(write_frames(root, "made", 4)), video_entry("made"), text_entry()]
    entries += [{"image": small, "conversations": chat("<image>What?")}]
    (root / "in.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    return root


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_of_a_store_becomes_what_it_becomes_here(given, bucket, name, tmp_path, capsys):
    here = tmp_path / "here"
    there = f"{'msc://test' if name == 'convert' else 's3:/'}/{bucket}/folder"
    upload(given, there)
    shutil.copytree(given, here)
    assert run(name, here / "in.jsonl", here / "kept.json") == run(name, f"{there}/in.jsonl", f"{there}/kept.json") == 3
    made = download(there, tmp_path / "made")
    assert (reasons(made), without_places(made)) == (reasons(here), without_places(here))
    assert name != "filter" or list((made / "kept.pictures").glob("*.jpg"))
    assert "mirror" not in "".join(data.decode("latin1") for data in tree_bytes(made).values())
    before = state_of(there)
    capsys.readouterr()
    assert run(name, f"{there}/in.jsonl", f"{there}/kept.json") == 3
    assert "was complete already" in capsys.readouterr().out
    assert state_of(there) == before


@pytest.mark.parametrize("name", ["normalize", "filter"])
def test_entries_that_were_set_aside_in_a_store_join_there(given, s3, name, tmp_path):
    upload(given, s3)
    options = ["--dataset-root", s3] if name == "filter" else []
    assert run(name, f"{s3}/in.jsonl", f"{s3}/kept.json", *options) == 3
    count = len(json.loads((Remote(s3) / "kept.json").read()))
    lines = (Remote(s3) / "set_aside.jsonl").read().splitlines()
    mended = [json.dumps({**json.loads(line), "entry": text_entry(n)}).encode() for n, line in enumerate(lines)]
    (Remote(s3) / "set_aside.jsonl").write(b"\n".join(mended) + b"\n")
    words = COMMANDS[name](f"{s3}/set_aside.jsonl", f"{s3}/kept.json")
    words = [word.replace("--input-file", "--retry") for word in words]
    if name == "filter":
        words = ["filter", "--retry", *words[1:]]
    assert cli.main([*words, *options]) == 0
    assert len(json.loads((Remote(s3) / "kept.json").read())) == count + len(lines)


def test_what_comes_to_nothing_leaves_the_output_and_says_why(s3, tmp_path, capsys):
    (Remote(s3) / "in.json").write(b"[1, 2]")
    (Remote(s3) / "out.json").write(b"[]")
    assert run("normalize", f"{s3}/in.json", f"{s3}/out.json") == 1
    assert f"{s3}/out.json: exists, and was not written by mm2energon" in capsys.readouterr().err
    assert run("normalize", f"{s3}/in.json", f"{s3}/new.json") == 1
    assert dict(Remote(s3).files()).keys() == {"in.json", "out.json", "set_aside.jsonl", "report.json"}
    assert run("normalize", f"{s3}/gone.json", f"{s3}/new.json") == 1
    assert f"{s3}/gone.json: no such file" in capsys.readouterr().err


def test_media_of_a_store_are_refused_where_they_are_not_looked_for(capsys):
    with pytest.raises(SystemExit):
        cli.main(["convert", "in.json", "out.json", "--to", "sharegpt", "--dataset-root", "s3://bucket/data"])
    assert "s3://bucket/data: lies in an object store; a path of this machine was expected" in capsys.readouterr().err


def test_an_output_of_one_machine_names_its_source_in_a_store_by_its_url(given, s3, tmp_path):
    upload(given, s3)
    for source, output in ((f"{s3}/in.jsonl", tmp_path / "kept.json"), (given / "in.jsonl", f"{s3}/kept.json")):
        assert run("normalize", source, output) == 3
        folder = tmp_path if isinstance(output, Path) else download(s3, tmp_path / "made")
        about = json.loads((folder / ".mm2energon/outputs.json").read_bytes())["kept.json"]
        assert list(about["sources"]) == [str(source)]
