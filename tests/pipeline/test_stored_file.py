"""Files that normalize, convert and filter make in a store: those of this machine, published when they are whole."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from media import write_clip
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


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Media that convert looks for: frames, an ending that is left out, what stands in an entry, what is missing."""
    root = tmp_path_factory.mktemp("named")
    picture = (root / write_images(root, 1)[0]).read_bytes()
    (root / "clips").mkdir()
    write_clip(root / "clips/v_1.mp4", frames=30)
    (root / "videos.json").write_text(json.dumps([video_entry("clips/v_1.mp4")]))
    assert cli.main(["frames", "--dataset-root", str(root), "--time-interval", "0.2"]) == 0
    made = write_frames(root, "made", 4)
    inline = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    entries = [image_entry("p0.jpg"), image_entry("none.jpg"), image_entry(inline), text_entry()]
    entries += [video_entry(made), video_entry("gone.mp4")]
    (root / "in.json").write_text(json.dumps(entries))
    (root / "instruct.json").write_text(json.dumps([{"q": "What?", "a": "That.", "video_id": "clips/v_1"}] * 2))
    frames = [f"clips/v_1/{number:06d}.jpg" for number in (1, 2)]
    of_frames = {"images": frames, "conversations": chat("<image><image>What?")}
    (root / "frames.json").write_text(json.dumps([of_frames]))
    return root


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("in.json", ["--to", "sharegpt", "--check-media"]),
        ("in.json", ["--to", "llava", "--frames", "2"]),
        ("instruct.json", ["--from", "video-instruct", "--to", "internvl"]),
        ("frames.json", ["--to", "sharegpt", "--join-frames"]),
    ],
)
def test_media_of_a_store_are_found_as_those_of_this_machine(named, s3, tmp_path, source, options):
    upload(named, s3)
    here = tmp_path / "here"
    shutil.copytree(named, here)
    is_here = "--frames" in options
    there = tmp_path / "out" if is_here else f"{s3}/out"
    words = [*options, "--allow-set-aside", "--workers", "2"]
    local = ["convert", here / source, here / "out/o.json", "--dataset-root", here, *words]
    remote = ["convert", f"{s3}/{source}", f"{there}/o.json", "--dataset-root", s3, *words]
    for command in (local, remote):
        assert cli.main([str(word) for word in command]) == 0
    made = download(s3, tmp_path / "made")
    if is_here:
        shutil.copytree(there, made / "out")
    assert (made / "out/o.json").read_bytes() == (here / "out/o.json").read_bytes()
    assert reasons(made / "out") == reasons(here / "out")
    assert sorted(path.name for path in made.glob("media/*")) == sorted(path.name for path in here.glob("media/*"))
    assert "mirror" not in "".join(data.decode("latin1") for data in tree_bytes(made / "out").values())
    assert source != "frames.json" or json.loads((made / "out/o.json").read_bytes())[0]["videos"] == ["clips/v_1.mp4"]


def test_media_of_a_store_are_there_before_the_output_that_names_them(named, s3, monkeypatch):
    upload(named, s3)
    sent = []
    send = Remote.send

    def noted(folder, names, of):
        names = list(names)
        sent.extend(names)
        return send(folder, names, of)

    monkeypatch.setattr(Remote, "send", noted)
    command = ["convert", f"{s3}/in.json", f"{s3}/o.json", "--dataset-root", s3, "--to", "sharegpt"]
    assert cli.main([*command, "--allow-set-aside"]) == 0
    assert sent[0].startswith("media/") and sent[-1] == "o.json"


def test_executors_and_a_dataset_root_of_one_process_are_refused(capsys):
    command = ["convert", "in.json", "out.json", "--to", "sharegpt", "--dataset-root", "s3://bucket/data"]
    assert cli.main([*command, "--executor", "ray"]) == 1
    assert "not in a store" in capsys.readouterr().err


def test_an_output_of_one_machine_names_its_source_in_a_store_by_its_url(given, s3, tmp_path):
    upload(given, s3)
    for source, output in ((f"{s3}/in.jsonl", tmp_path / "kept.json"), (given / "in.jsonl", f"{s3}/kept.json")):
        assert run("normalize", source, output) == 3
        folder = tmp_path if isinstance(output, Path) else download(s3, tmp_path / "made")
        about = json.loads((folder / ".mm2energon/outputs.json").read_bytes())["kept.json"]
        assert list(about["sources"]) == [str(source)]
