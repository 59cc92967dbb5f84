"""An export is begun, watched and cancelled by the page, and writes below the opened roots alone."""

import json
import time

import pytest
from media import write_image

from studio.opened import entry, opened, write_entries


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("export") / "data"
    root.mkdir()
    for number in range(6):
        write_image(root / f"{number}.png", number=number)
    return root


@pytest.fixture(scope="module")
def page(root):
    entries = [entry("image", f"{number}.png") for number in range(6)]
    with opened(write_entries(root / "d.json", entries)) as page:
        page.post("/api/decisions", json={"numbers": [0, 1, 2, 3], "do": "accept"})
        yield page


def export(page, **asked):
    answer = page.post("/api/exports", json={"templates": ["sharegpt"], "output": "out", **asked})
    assert answer.status_code == 200, answer.text
    told = wait(page, answer.json()["id"])
    return {**told, "id": answer.json()["id"]}


def wait(page, name):
    for _ in range(600):
        told = page.get(f"/api/exports/{name}").json()
        if told["state"] != "running":
            return told
        time.sleep(0.05)
    raise AssertionError("it never ends")


def test_what_was_accepted_is_written_and_told(page, root):
    told = export(page, templates=["sharegpt", "messages"])
    assert told["state"] == "done", told["error"]
    assert {one["template"]: one["records"] for one in told["files"]} == {"sharegpt": 4, "messages": 4}
    for one in told["files"]:
        assert (root / "out" / one["name"]).stat().st_size == one["bytes"]
    assert told["lines"] and told["samples"] == 4
    later = page.get(f"/api/exports/{told['id']}?since={told['since']}").json()
    assert later["lines"] == []


def test_splits_share_no_picture_and_shards_are_made(page, root):
    wanted = {"shards": True, "status": "any", "target": "crude", "output": "split"}
    told = export(page, splits={"train": 3, "val": 1, "test": 0}, **wanted)
    assert told["state"] == "done", told["error"]
    names = {one["split"] for one in told["files"]}
    assert names == {"train", "val"}
    assert list((root / "split").rglob("*.tar"))


@pytest.mark.parametrize("output", ["/etc/studio", "../outside", "a/../../x", "", "x\0"])
def test_an_output_outside_of_the_roots_is_refused(page, root, output):
    answer = page.post("/api/exports", json={"templates": ["sharegpt"], "output": output})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "bad-input"
    assert not (root.parent / "outside").exists()


@pytest.mark.parametrize("name", ["wds", ".mm2energon", "wds/.mm2energon", "wds/.nv-meta"])
def test_no_folder_of_an_output_is_a_link_that_leads_out(page, root, name):
    foreign, output = root.parent / "foreign", f"into-{name.replace('/', '-')}"
    foreign.mkdir(exist_ok=True)
    (root / output / name).parent.mkdir(parents=True)
    (root / output / name).symlink_to(foreign)
    asked = {"templates": ["sharegpt"], "output": output, "shards": True, "overwrite": True}
    answer = page.post("/api/exports", json=asked)
    assert answer.status_code == 400 and "link" in answer.json()["error"]["message"]
    assert list(foreign.iterdir()) == []


def test_shards_are_not_replaced_by_those_that_are_made_of_them(page, root):
    assert export(page, output="made", shards=True, target="crude")["state"] == "done"
    shards = root / "made/wds"
    before = {path: path.read_bytes() for path in shards.rglob("*") if path.is_file()}
    with opened(shards, output_roots=(root,)) as reviewing:
        reviewing.post("/api/decisions", json={"numbers": [0], "do": "accept"})
        told = export(reviewing, output="made", shards=True, overwrite=True)
    assert told["state"] == "failed" and "another folder was expected" in told["error"]["message"]
    assert {path: path.read_bytes() for path in shards.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"templates": ["nope"]}, 400), ({"templates": []}, 400), ({"target": "nope", "shards": True}, 400)]
    + [({"status": "loved"}, 422), ({"splits": {"train": -1}}, 422), ({"splits": {"train": 0}}, 400)],
)
def test_an_export_that_makes_no_sense_is_refused_before_it_begins(page, asked, status):
    answer = page.post("/api/exports", json={"templates": ["sharegpt"], "output": "out", **asked})
    assert answer.status_code == status and answer.json()["error"]["message"]


def test_the_source_is_never_replaced(page, root):
    before = (root / "d.json").read_bytes()
    export(page, output=".", overwrite=True)
    assert (root / "d.json").read_bytes() == before


def test_an_export_that_fails_says_why(page):
    told = export(page, status="rejected", output="none")
    assert told["state"] == "failed" and told["error"]["message"]


def test_a_second_export_waits_for_the_first(page, monkeypatch):
    import threading

    go = threading.Event()

    def slow(_review, _job, *, is_cancelled, **_more):
        from mm2energon.review.export_job import ExportCancelledError

        while not go.wait(0.05):
            if is_cancelled():
                raise ExportCancelledError("cancelled")

    monkeypatch.setattr("mm2energon.review.export.export", slow)
    body = {"templates": ["sharegpt"], "output": "out"}
    first = page.post("/api/exports", json=body).json()["id"]
    assert page.post("/api/exports", json=body).status_code == 409
    page.post(f"/api/exports/{first}/cancel", json={})
    assert wait(page, first)["state"] == "cancelled"
    go.set()
    second = page.post("/api/exports", json=body).json()["id"]
    assert wait(page, second)["state"] == "done"


def test_a_crash_of_an_export_is_told_by_an_id(page, monkeypatch):
    def crash(*_some, **_more):
        raise RuntimeError("secret")

    monkeypatch.setattr("mm2energon.review.export.export", crash)
    told = export(page, output="crash")
    assert (told["state"], told["error"]["code"]) == ("failed", "crash") and "secret" not in json.dumps(told)


def test_an_export_that_is_none_is_not_found(page):
    assert page.get("/api/exports/99").status_code == 404
    assert page.post("/api/exports/99/cancel", json={}).status_code == 404
