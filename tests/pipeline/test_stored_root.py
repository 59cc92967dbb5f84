"""Frames of a dataset in a store: the dataset, frames and accounts are those of this machine, byte for byte."""

import json
import shutil
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.remote import Remote

from pipeline.making import (
    chat,
    image_entry,
    set_aside,
    tree_bytes,
    video_entry,
    write_frames,
    write_images,
    write_json,
)
from pipeline.test_archives import write_tar
from pipeline.test_stored import download, upload

pytest_plugins = ["stores"]

#: They hold paths of this machine, and times.
_OF_A_PLACE = ("set_aside.jsonl", "outputs.json")


def run_frames(root, *options):
    return cli.main(["frames", "--dataset-root", str(root), "--workers", "1", *map(str, options)])


def llava(video, **more):
    return {"video": video, "conversations": chat("<image>\nWhat?"), **more}


def make_dataset(root: Path) -> Path:
    """Split folders with archives, media beside and above annotations, frames of others, damaged and missing videos."""
    clip = write_clip(root / "clip.mp4", frames=31, rate=10)
    inner = write_clip(root / "inner.mp4", frames=21, rate=10, first=100)
    lines = json.dumps(llava("v.mp4", id="packed")).encode() + b"\n"
    write_tar(root / "split/videos.tar.gz", [("source/v.mp4", clip.read_bytes()), ("more/v.mp4", inner.read_bytes())])
    write_tar(root / "split/answers.tar", [("more/qa.jsonl", lines)])
    clip.rename(root / "split/beside.mp4")
    inner.rename(root / "above.mp4")
    (root / "split/bad.mp4").write_bytes(b"no video")
    names = ["source/v.mp4", "beside", "above.mp4", "above", "bad.mp4", "gone.mp4"]
    write_json(root / "split/qa.json", [llava(name, id=name) for name in names])
    pictures = write_images(root / "pictures", 2)
    made = write_frames(root / "clips", "made", 4)
    write_json(
        root / "deep/er/images.json",
        [image_entry(f"pictures/{pictures[0]}"), image_entry("none.jpg"), video_entry(f"clips/{made}"), 7],
    )
    write_json(root / "split/other.json", {"about": "nothing"})
    (root / "wds/.nv-meta").mkdir(parents=True)
    write_json(root / "wds/.nv-meta/x.json", [image_entry("a.jpg")])
    write_json(root / "wds/x.json", [image_entry("a.jpg")])
    return root


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The dataset as it was given, and with its frames."""
    given, root = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("root")
    make_dataset(given)
    shutil.copytree(given, root, dirs_exist_ok=True)
    assert run_frames(root) == 3
    return given, root


def without_places(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree_bytes(root).items() if not name.endswith(_OF_A_PLACE)}


def reasons(root: Path) -> list[tuple[str, str]]:
    return [(line["origin"], line["reason"]) for line in set_aside(root)]


def state_of(folder: str) -> dict[str, tuple[int, int]]:
    return {name: (size, (Remote(folder) / name).modified_ns()) for name, size in Remote(folder).files(deep=True)}


def test_frames_of_a_store_are_those_of_this_machine_and_a_second_run_writes_nothing(local, s3, tmp_path, capsys):
    folder, (given, root) = s3, local
    upload(given, folder)
    assert run_frames(folder) == 3
    made = download(folder, tmp_path / "made")
    assert reasons(made) == reasons(root)
    assert without_places(made) == without_places(root)
    text = (made / "set_aside.jsonl").read_text() + (made / ".mm2energon/outputs.json").read_text()
    assert "mirror" not in text and folder in text
    before = state_of(folder)
    fetched = []
    real = Remote.fetch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Remote, "fetch", lambda at, names, to: fetched.extend(names := list(names)) or real(at, names, to)
        )
        assert run_frames(folder) == 3
    assert state_of(folder) == before
    assert "  was complete already, nothing was written" in capsys.readouterr().out
    assert not any(name.endswith((".tar", ".gz")) for name in fetched)


def small_dataset(root: Path) -> Path:
    root.mkdir()
    write_clip(root / "a.mp4", frames=21, rate=10)
    write_json(root / "qa.json", [llava("a.mp4"), llava("late.mp4")])
    return root


def test_entries_that_were_set_aside_join_once_their_video_is_there(msc, tmp_path):
    folder = msc
    upload(small_dataset(tmp_path / "given"), folder)
    assert run_frames(folder) == 3
    Remote(folder).send(["late.mp4"], write_clip(tmp_path / "late.mp4", frames=21, rate=10).parent)
    assert run_frames(folder, "--retry", f"{folder}/set_aside.jsonl") == 0
    made = download(folder, tmp_path / "made")
    assert [entry["videos"] for entry in json.loads((made / "dataset.json").read_text())] == [["a.mp4"], ["late.mp4"]]
    assert (made / "late/000001.jpg").is_file() and not (made / "set_aside.jsonl").exists()


def test_an_input_in_the_place_of_the_output_is_kept_under_another_name(s3, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    write_clip(given / "a.mp4", frames=21, rate=10)
    write_json(given / "dataset.json", [llava("a.mp4")])
    upload(given, s3)
    assert run_frames(s3) == run_frames(given) == 0
    made = download(s3, tmp_path / "made")
    assert without_places(made) == without_places(given) and (made / "dataset.original.json").is_file()


def test_an_array_of_tasks_extracts_the_videos_of_a_store(s3, tmp_path, capsys):
    given, plan = small_dataset(tmp_path / "given"), tmp_path / "plan"
    upload(given, s3)
    assert run_frames(given, "--allow-set-aside") == 0
    assert cli.main(["plan", "frames", "--dataset-root", s3, "--allow-set-aside", "--plan", str(plan)]) == 0
    assert "dataset.json" not in dict(Remote(s3).files())
    for index in "01":
        assert cli.main(["run", "--plan", str(plan), "--index", index, "--of", "2", "--workers", "1"]) == 0
    assert cli.main(["finalize", "--plan", str(plan)]) == 0
    assert without_places(download(s3, tmp_path / "made")) == without_places(given)


def test_an_archive_that_was_published_in_part_is_unpacked_to_its_end(s3, tmp_path, monkeypatch):
    """The store fails behind the first member; the next run takes what is there as it is, and notes the archive."""
    clip = write_clip(tmp_path / "clip.mp4", frames=11, rate=10)
    (tmp_path / "given").mkdir()
    write_tar(tmp_path / "given/v.tar", [("a.mp4", clip.read_bytes()), ("b.mp4", clip.read_bytes())])
    write_json(tmp_path / "given/qa.json", [llava("a.mp4"), llava("b.mp4")])
    upload(tmp_path / "given", s3)

    def fail(at, names, folder):
        real(at, ["a.mp4"], folder)
        raise OSError(5, "the store does not answer", at.url)

    real = Remote.send
    monkeypatch.setattr(Remote, "send", fail)
    assert run_frames(s3) == 1
    monkeypatch.setattr(Remote, "send", real)
    before = dict(Remote(s3).files())
    assert sorted(before) == ["a.mp4", "qa.json", "v.tar"]
    assert run_frames(s3) == 0
    assert {"a", "b"} <= {name.partition("/")[0] for name, _ in Remote(s3).files(deep=True)}
    assert "v.tar" in json.loads((Remote(s3) / ".mm2energon/outputs.json").read())


def test_a_file_of_the_user_is_not_replaced_by_a_member_of_an_archive(s3, tmp_path):
    write_tar(tmp_path / "given/v.tar", [("notes.txt", b"of the archive"), ("same.txt", b"the same")])
    write_json(tmp_path / "given/qa.json", [image_entry("notes.txt")])
    (tmp_path / "given/notes.txt").write_bytes(b"of the person.")
    (tmp_path / "given/same.txt").write_bytes(b"the same")
    upload(tmp_path / "given", s3)
    assert run_frames(s3) == run_frames(tmp_path / "given") == 0
    made = download(s3, tmp_path / "made")
    assert without_places(made) == without_places(tmp_path / "given")
    assert (made / "notes.txt").read_bytes() == b"of the person."
