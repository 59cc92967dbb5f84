"""The report as a person gets it: a page that parses, fetches nothing, runs nothing, and holds what the data hold."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import mm2energon
import pytest
from media import write_image
from mm2energon import cli
from PIL import Image
from pipeline.making import chat, image_entry, shard_of, text_entry, tree_times, video_entry, write_frames

EVIL = "<script>alert('x')</script> </div> & \"quoted\" <img src=http://x.example/y onerror=z> \u202eturned"
VOID = {"br", "hr", "img", "meta"}


class Page(HTMLParser):
    """A page as the parser of the standard library sees it; each element is closed where it was opened."""

    def __init__(self, data):
        super().__init__()
        self.open, self.elements, self.said = [], [], ""
        self.feed(data.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.said += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def root(tmp_path):
    """A dataset of pictures, a video, hostile texts, and an entry that is set aside."""
    for number in range(3):
        write_image(tmp_path / f"{number}.png", number=number, size=(640, 480))
    entries = [image_entry(f"{number}.png", id=f"p{number}") for number in range(3)]
    entries.append({"id": EVIL, "conversations": chat(EVIL, EVIL), "source": EVIL})
    entries.append(video_entry(write_frames(tmp_path, "v", 14), id="v"))
    shard_of(tmp_path, [*entries, {"id": EVIL, "conversations": []}], "--val-split", 0)
    return tmp_path


def report(root, *options):
    return cli.main(["report", str(root / "wds"), *map(str, options)])


def page_of(root, *options, status=0):
    assert report(root, "--output", root / "page.html", *options) == status
    return Page((root / "page.html").read_bytes())


def test_the_page_is_one_file_that_fetches_nothing_and_runs_nothing(root):
    page = page_of(root)
    assert not {"script", "iframe", "link", "object", "embed", "form"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "data", "srcset"):
            value = attributes.get(name) or ""
            assert not value or value.startswith("data:image/jpeg;base64," if tag == "img" else "#")
    policies = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and "default-src 'none'" in policies[0] and "script" not in policies[0]
    style = re.search(rb"<style>(.*)</style>", (root / "page.html").read_bytes(), re.DOTALL)[1]
    assert b"url(" not in style and b"@import" not in style


def test_what_a_text_holds_comes_out_as_text(root):
    page = page_of(root)
    assert page.said.count("<script>alert('x')</script> </div> & \"quoted\" <img src=http://x.example/y") >= 2
    assert "\u202e" not in page.said and "\\u202eturned" in page.said


def test_every_sample_is_there_with_its_pictures_and_its_words(root):
    page = page_of(root)
    pictures = [Image.open(io.BytesIO(base64.b64decode(one["src"].partition(",")[2]))) for one in page.all("img")]
    assert [picture.size for picture in pictures[:3]] == [(320, 240)] * 3
    assert len(pictures) == 3 + 10 and all(picture.format == "JPEG" for picture in pictures)
    assert page.said.count("What is this?") == 3 and page.said.count("A picture.") >= 3
    assert "14 frames, 2 a second, 7 s" in page.said and "10 of them shown" in page.said


def test_fewer_samples_are_shown_where_that_is_asked(root):
    assert page_of(root, "--samples", 0).all("article") == []
    assert len(page_of(root, "--samples", 2).all("article")) == 2


def test_splits_accounts_and_tokens_are_on_the_page(root):
    said = page_of(root, "--model", "qwen3-vl").said
    for words in ("train", "no-turns", "Set aside by shard", "For qwen3-vl", "estimated", "4,096", "32,768"):
        assert words in said


def test_charts_have_names_for_those_who_cannot_see_them(root):
    drawings = page_of(root).all("svg")
    assert drawings and all(one["role"] == "img" and one["aria-label"] for one in drawings)
    assert all(one["alt"] for one in page_of(root).all("img"))


def test_links_lead_to_parts_of_the_page(root):
    page = page_of(root)
    places = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
    links = [one["href"] for one in page.all("a")]
    assert len(links) >= 5 and {link.removeprefix("#") for link in links} <= places


def test_a_report_of_the_same_is_the_same_bytes_and_is_left_alone(root, capsys):
    options = ("--output", root / "page.html", "--json", root / "numbers.json")
    assert report(root, *options) == 0
    before, times = (root / "page.html").read_bytes(), tree_times(root)
    capsys.readouterr()
    assert report(root, *options) == 0
    assert tree_times(root) == times
    assert capsys.readouterr().out.count("was complete already, nothing was written") == 2
    (root / "page.html").unlink()
    assert report(root, *options, "--workers", 2) == 0
    assert (root / "page.html").read_bytes() == before


def test_damage_is_told_in_the_same_words_each_time(root):
    shard = root / "wds/train-shard-000000.tar"
    data = shard.read_bytes()
    begin = data.index(b"\x89PNG")
    shard.write_bytes(data[:begin] + b"x" * 60 + data[begin + 60 :])
    said = page_of(root).said
    assert said.count("no image format that is known here") >= 2
    before = (root / "page.html").read_bytes()
    assert " at 0x" not in said and page_of(root).said == said and (root / "page.html").read_bytes() == before


def test_it_changes_nothing_of_the_dataset(root):
    before = tree_times(root)
    page_of(root)
    assert {name: time for name, time in tree_times(root).items() if name not in ("page.html", "page.json")} == before
    assert cli.main(["verify", str(root / "wds"), "--skip-energon"]) == 0


def test_the_json_holds_the_numbers(root):
    assert report(root, "--text", "--json", root / "numbers.json") == 0
    told = json.loads((root / "numbers.json").read_text())
    assert told["splits"]["train"]["samples"] == told["samples"] == told["read"] == 5
    assert told["measures"]["video_frames"]["median"] == 14 and told["measures"]["images"]["sum"] == 3
    assert sum(told["measures"]["turns"]["histogram"]["counts"]) == 5
    assert told["image_sizes"] == [[640, 480, 3]] and told["text_tokens"] == "estimated"
    assert told["accounts"][0]["set_aside"] == {"no-turns": 1}


def test_the_numbers_lie_beside_the_page_and_replace_no_account(root):
    account = (root / "wds/report.json").read_bytes()
    for folder, name in ((root, "report.json"), (root / "wds", "report.html.json")):
        for _ in range(2):
            assert report(root, "--output", folder / "report.html") == 0
        told = json.loads((folder / name).read_text())
        assert told["samples"] == 5 and told["accounts"][0]["read"] == 6
    assert (root / "wds/report.json").read_bytes() == account
    assert cli.main(["verify", str(root / "wds"), "--skip-energon"]) == 0
    assert (
        cli.main(["normalize", "--input-file", str(root / "dataset.json"), "--output-file", str(root / "o.json")]) == 3
    )
    assert json.loads((root / "report.json").read_text())["by"] == "mm2energon report"
    assert json.loads((root / "report.o.json").read_text())["read"] == 6


def test_the_page_and_its_numbers_are_two_files(root, capsys):
    assert report(root, "--output", root / "a.html", "--json", root / "wds/../a.html") == 1
    assert "is the page itself" in capsys.readouterr().err and not (root / "a.html").exists()
    assert report(root, "--output", root / "a.json") == 0
    assert b"<!DOCTYPE html>" in (root / "a.json").read_bytes() and (root / "a.json.json").exists()


def test_text_goes_to_the_terminal_and_writes_no_page(root, capsys, monkeypatch):
    monkeypatch.chdir(root)
    capsys.readouterr()
    assert report(root, "--text") == 0
    out = capsys.readouterr().out
    assert "█" in out and "Frames of a video" in out and "no-turns" in out
    assert not (root / "report.html").exists()
    assert report(root) == 0
    assert (root / "report.html").exists()


def test_a_terminal_without_blocks_has_bars_of_other_letters(root):
    command = [sys.executable, "-m", "mm2energon", "report", str(root / "wds"), "--text"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(mm2energon.__file__).parents[1])}
    ended = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert "train  5  ###" in ended.stdout and "\\u2588" not in ended.stdout


def test_a_file_that_is_no_report_is_not_replaced(root, capsys):
    for option, name in (("--output", "mine.html"), ("--json", "dataset.json")):
        path = root / name
        path.write_text(path.read_text() if path.exists() else "<html>mine</html>")
        before = path.read_bytes()
        capsys.readouterr()
        assert report(root, "--text", option, path) == 1
        assert "is no report of ours" in capsys.readouterr().err and path.read_bytes() == before
    assert report(root, "--output", root / "mine.html", "--overwrite") == 0


@pytest.mark.parametrize("name", ["wds/.nv-meta/x.html", "wds/train-shard-000000.tar", "."])
def test_a_place_of_the_shards_is_refused(root, name, capsys):
    assert report(root, "--overwrite", "--output", root / name) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_samples_that_cannot_be_read_end_with_3_and_stand_on_the_page(root):
    shard = root / "wds/train-shard-000000.tar"
    data = shard.read_bytes()
    shard.write_bytes(data.replace(b"00000001-p1.json", b"00000001-p1.jsxn", 1))
    page = page_of(root, status=3)
    assert "bad-part" in page.said and "train-shard-000000.tar/sample 1" in page.said
    assert "1 cannot be read" in page.said


@pytest.mark.parametrize("folder", ["empty", "none"])
def test_a_folder_without_a_dataset_is_an_error_of_one_line(tmp_path, capsys, folder):
    (tmp_path / "empty/wds").mkdir(parents=True)
    assert report(tmp_path / folder, "--output", tmp_path / "page.html") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_dataset_of_text_alone_has_a_page(tmp_path):
    shard_of(tmp_path, [text_entry(n) for n in range(3)])
    assert "Words of a question" in page_of(tmp_path).said


def test_numbers_beside_the_annotations_are_no_annotations(root, monkeypatch):
    assert report(root, "--text", "--json", root / "numbers.json") == 0
    monkeypatch.chdir(root)
    assert cli.main(["normalize", "--output-file", "normal.json", "--allow-set-aside"]) == 0
