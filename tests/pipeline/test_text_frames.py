"""Text to frames: every entry is drawn once or set aside, and a run that is started again does what is missing."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from images.fonts import write_font
from mm2energon import cli
from mm2energon.images.text_pages import PageStyle, draw_page, lay_out
from mm2energon.pipeline import text_folders
from PIL import Image

from pipeline.making import run_shard, set_aside, stored, tree_bytes, tree_times, write_json

LONG = "The quick brown fox jumps over the lazy dog. "
TOOLKITS = Path(cli.__file__).parents[1]


def asked(context=LONG * 30, question="Who jumps?", answer="The fox.", **more):
    return {"context": context, "question": question, "answer": answer, **more}


def draw(source, output, *options, workers=1):
    return cli.main(["text-to-frames", str(source), str(output), "--workers", str(workers), *map(str, options)])


def entries_of(output, name="dataset.json"):
    return json.loads((output / name).read_text())


@pytest.fixture
def book(tmp_path):
    return write_json(tmp_path / "book.json", [asked(LONG * n, question=f"{n}?", n=n) for n in (30, 1, 60)])


def test_each_entry_becomes_a_folder_of_pictures_and_a_conversation_about_them(tmp_path, book):
    output = tmp_path / "out"
    assert draw(book, output) == 0
    hub, t2vid = entries_of(output), entries_of(output, "t2vid_synthetic.json")
    assert [entry["n"] for entry in hub] == [30, 1, 60]
    for number, (entry, folder, n) in enumerate(zip(hub, t2vid, (30, 1, 60), strict=True)):
        turns = [{"from": "human", "value": f"<video>\n{n}?"}, {"from": "gpt", "value": "The fox."}]
        assert entry["conversations"] == folder["conversations"] == turns
        assert entry["id"] == folder["id"] == f"book_{number:05d}"
        assert folder["video"] == f"pages/book_{number:05d}" and folder.keys() == {"id", "video", "conversations", "n"}
        there = sorted((output / folder["video"]).iterdir())
        assert entry["videos"] == [[path.relative_to(output).as_posix() for path in there]]
        pages = lay_out(LONG * n, PageStyle(), origin="o")
        assert [path.read_bytes() for path in there] == [draw_page(page, PageStyle()) for page in pages]
        assert [path.name for path in there] == [f"{page + 1:06d}.png" for page in range(len(pages))]


def test_shard_and_verify_take_the_result_as_it_stands(tmp_path, book, capsys):
    output = tmp_path / "out"
    assert draw(book, output, "--allow-set-aside") == 0
    assert run_shard(output, "--allow-set-aside") == 0  # the video of a single picture is set aside for pai-v1
    assert [line["reason"] for line in set_aside(output / "wds")] == ["too-few-frames"]
    samples = sorted(stored(output / "wds"), key=lambda sample: sample.key)
    for sample, entry in zip(samples, (entries_of(output)[n] for n in (0, 2)), strict=True):
        assert sample.videos == [[(output / path).read_bytes() for path in entry["videos"][0]]]
        assert all(Image.open(io.BytesIO(data)).size == (448, 448) for data in sample.videos[0])
    assert cli.main(["verify", str(output / "wds"), "--skip-energon"]) == 0
    assert "no fault" in capsys.readouterr().out


def test_convert_takes_the_folders_of_pictures(tmp_path, book):
    output = tmp_path / "out"
    assert draw(book, output) == 0
    options = ["--from", "t2vid-synthetic", "--to", "sharegpt", "--dataset-root", str(output)]
    assert cli.main(["convert", str(output / "t2vid_synthetic.json"), str(tmp_path / "hub.json"), *options]) == 0
    assert [len(entry["videos"]) for entry in json.loads((tmp_path / "hub.json").read_text())] == [1, 1, 1]


BAD = [
    (7, "not-an-object"),
    ({"conversations": []}, "unknown-format"),
    (asked(context=""), "no-context"),
    (asked(context="\u200b"), "no-context"),
    ({"instruction": "Name a colour.", "output": "Red."}, "no-context"),
    (asked(context="Привет"), "undrawable-text"),
    (asked(context=LONG + "שלום"), "undrawable-text"),
    (asked(context=LONG * 500), "too-many-frames"),
    (asked(answer=""), "no-answer"),
    (asked(question="<video>?"), "tag-count"),
]


def test_what_cannot_be_drawn_is_set_aside_with_its_reason_and_the_numbers_add_up(tmp_path, capsys):
    output = tmp_path / "out"
    source = write_json(tmp_path / "in.json", [entry for entry, _ in BAD] + [asked()])
    assert draw(source, output, "--max-pages", 9) == 3
    aside = set_aside(output)
    assert [line["reason"] for line in aside] == [reason for _, reason in BAD]
    assert [line["entry"] for line in aside] == [entry for entry, _ in BAD]
    assert all(line["message"].startswith(f"in.json[{number}]") for number, line in enumerate(aside))
    assert [entry["id"] for entry in entries_of(output)] == [f"in_{len(BAD):05d}"]
    name = f"in_{len(BAD):05d}"
    assert {path.name for path in (output / "pages").iterdir()} == {name, f"{name}.json"}
    report = json.loads((output / "report.json").read_text())
    assert report["read"] == sum(report["written"].values()) + sum(report["set_aside"].values()) == len(BAD) + 1
    assert report["undrawable"] == {"CYRILLIC": 1, "HEBREW": 1}
    assert "CYRILLIC in 1, HEBREW in 1" in capsys.readouterr().out


def test_a_font_that_has_the_letters_draws_them(tmp_path, capsys):
    font = write_font(tmp_path / "boxes.ttf", "приветПр")
    source = write_json(tmp_path / "in.json", [asked("Привет " * 9)])
    assert draw(source, tmp_path / "out") == 1
    assert "undrawable-text 1" in capsys.readouterr().err
    assert not (tmp_path / "out/dataset.json").exists()
    assert draw(source, tmp_path / "out", "--font", font) == 0
    assert len(entries_of(tmp_path / "out")) == 1


def test_entries_about_one_text_share_its_pictures_and_what_befalls_them(tmp_path):
    output = tmp_path / "out"
    lost = "Привет"
    texts = [asked(), asked(question="2?"), asked(lost), asked(lost, question="2?"), asked(LONG)]
    assert draw(write_json(tmp_path / "in.json", texts), output, workers=2) == 3
    first, second, other = entries_of(output)
    assert first["videos"] == second["videos"] != other["videos"]
    assert second["conversations"][0]["value"] == "<video>\n2?"
    assert sorted(path.name for path in (output / "pages").iterdir() if path.is_dir()) == ["in_00000", "in_00004"]
    lines = set_aside(output)
    assert [line["reason"] for line in lines] == ["undrawable-text"] * 2
    assert "in.json[3]: has the text of in.json[2]" in lines[1]["message"]


def test_a_finished_run_that_is_started_again_draws_nothing_changes_nothing_and_says_so(tmp_path, book, capsys):
    output = tmp_path / "out"
    write_json(book, [*json.loads(book.read_text()), 7])
    assert draw(book, output) == 3
    first = capsys.readouterr().out
    before, times = tree_bytes(output), tree_times(output)
    assert draw(book, output) == 3
    second = capsys.readouterr().out
    assert "complete already" in second and "(0 drawn by this run)" in second and "complete already" not in first
    assert (tree_bytes(output), tree_times(output)) == (before, times)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bytes_do_not_depend_on_the_workers_nor_on_what_was_there_before(tmp_path, book, workers):
    other, output = tmp_path / "other", tmp_path / "out"
    assert draw(book, other) == 0
    assert draw(book, output, "--size", "300x200") == 0
    assert draw(book, output, workers=workers) == 0
    assert tree_bytes(output / "pages") == tree_bytes(other / "pages")
    assert entries_of(output) == entries_of(other)


def test_what_is_missing_or_cut_is_drawn_again_and_the_rest_is_left(tmp_path, book):
    output = tmp_path / "out"
    assert draw(book, output) == 0
    before, times = tree_bytes(output), tree_times(output)
    (output / "pages/book_00000/000001.png").write_bytes(b"cut")
    (output / "pages/book_00002.json").unlink()
    (output / "pages/book_00002/000099.png").write_bytes(b"of a longer text")
    assert draw(book, output) == 0
    after = tree_times(output)
    assert tree_bytes(output) == before
    kept = [name for name in times if "book_00001" in name or name == "dataset.json"]
    assert len(kept) == 3 and all(after[name] == times[name] for name in kept)


def test_pictures_that_no_entry_has_any_more_go_and_what_a_user_put_there_stays(tmp_path, book):
    output = tmp_path / "out"
    assert draw(book, output) == 0
    (output / "pages/book_00002/mine.txt").write_text("mine")
    write_json(book, json.loads(book.read_text())[:2])
    assert draw(book, output) == 0
    names = {path.relative_to(output / "pages").as_posix() for path in (output / "pages").rglob("*")}
    assert {name for name in names if name.startswith("book_00002")} == {"book_00002", "book_00002/mine.txt"}
    assert len(entries_of(output)) == 2


def test_a_run_that_is_killed_goes_on_and_gives_the_bytes_of_one_that_is_not(tmp_path):
    source = write_json(tmp_path / "in.json", [asked(f"{n} {LONG * 40}") for n in range(8)])
    output, quiet = tmp_path / "out", tmp_path / "quiet"
    command = [sys.executable, "-m", "mm2energon", "text-to-frames", str(source), str(output), "--workers", "1"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TOOLKITS)}, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (output / "pages/in_00003/000002.png").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (output / "dataset.json").exists() and not (output / "t2vid_synthetic.json").exists()
    done = {path.name: path.stat().st_mtime_ns for path in (output / "pages").glob("*.json")}
    assert draw(source, output) == 0 == draw(source, quiet)
    assert tree_bytes(output) == tree_bytes(quiet)
    assert done and all((output / "pages" / name).stat().st_mtime_ns == when for name, when in done.items())


def test_a_disk_that_is_full_leaves_no_half_picture_and_with_room_the_run_goes_on(tmp_path, book, monkeypatch, capsys):
    output, calls = tmp_path / "out", []

    def full(lines, style):
        calls.append(lines)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return draw_page(lines, style)

    monkeypatch.setattr(text_folders, "draw_page", full)
    assert draw(book, output) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in output.rglob("*.png")] == ["000001.png"]
    assert not list(output.rglob("book*.json")) and not (output / "dataset.json").exists()
    assert draw(book, output) == 0
    assert draw(book, tmp_path / "quiet") == 0
    assert tree_bytes(output) == tree_bytes(tmp_path / "quiet")


def test_a_dataset_that_is_merged_has_the_entries_once(tmp_path, book):
    assert draw(book, tmp_path / "data/synthetic") == 0
    assert cli.main(["frames", "--dataset-root", str(tmp_path / "data"), "--workers", "1"]) == 0
    merged = entries_of(tmp_path / "data")
    assert [entry["n"] for entry in merged] == [30, 1, 60]
    assert all((tmp_path / "data" / path).is_file() for entry in merged for path in entry["videos"][0])


def test_paths_are_relative_to_the_dataset_root(tmp_path, book):
    assert draw(book, tmp_path / "data/synthetic", "--dataset-root", tmp_path / "data") == 0
    entries = entries_of(tmp_path / "data/synthetic")
    assert entries[0]["videos"][0][0] == "synthetic/pages/book_00000/000001.png"
    assert run_shard(tmp_path / "data", "--json", "synthetic/dataset.json", "--allow-set-aside") == 0


@pytest.mark.parametrize(
    ("prepare", "options", "said"),
    [
        (lambda d: None, ("--dataset-root", "elsewhere"), "is not inside the --dataset-root"),
        (lambda d: write_json(d / "out/dataset.json", []), (), "was not written by mm2energon"),
        (lambda d: write_json(d / "out/t2vid_synthetic.json", []), (), "was not written by mm2energon"),
        (lambda d: write_json(d / "out/pages/mine.json", []), (), "was not made by this command"),
        (lambda d: (d / "out").write_text(""), (), "is no folder"),
        (lambda d: None, ("--font", "gone.ttf"), "--font"),
        (lambda d: None, ("--size", "50x50"), "too small"),
    ],
)
def test_nothing_of_a_user_is_replaced_and_what_cannot_be_is_one_line(tmp_path, book, prepare, options, said, capsys):
    prepare(tmp_path)
    before = tree_bytes(tmp_path)
    assert draw(book, tmp_path / "out", *options) == 1
    assert said in (told := capsys.readouterr().err) and told.count("\n") == 1
    assert tree_bytes(tmp_path) == before


def test_pictures_of_another_file_are_replaced_only_when_asked(tmp_path, book, capsys):
    output = tmp_path / "out"
    other = write_json(tmp_path / "other.json", [asked(LONG * 9)])
    assert draw(book, output) == 0
    before = tree_bytes(output)
    assert draw(other, output) == 1
    assert "holds the pictures of ../book.json" in capsys.readouterr().err and tree_bytes(output) == before
    assert draw(other, output, "--overwrite") == 0
    assert {path.name for path in (output / "pages").iterdir()} == {"other_00000", "other_00000.json"}
    assert draw(output / "dataset.json", output, "--overwrite") == 1


@pytest.mark.parametrize("size", ["448", "448x", "0x448", "448x99999", "a"])
def test_a_size_that_is_none_is_refused(tmp_path, book, size):
    with pytest.raises(SystemExit):
        draw(book, tmp_path / "out", "--size", size)
