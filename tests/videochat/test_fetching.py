"""A model that is nowhere here is fetched from the hub: a small one on the loopback, as huggingface_hub asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.backends import fetching
from mm2energon.videochat.backends.fetching import fetch, said
from mm2energon.videochat.backends.places import find_model
from mm2energon.videochat.backends.setup import Setup
from mm2energon.videochat.frames import Unwanted

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """What the hub answers about one model, `org/tiny`, whose files lie in a folder."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:  # noqa: N802
        self._answer(with_body=True)

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        headers: dict[str, str] = {}
        if path.startswith("/api/models/org/tiny/tree/"):
            files = [{"type": "file", "path": file.name, **_facts(file)} for file in sorted(self._folder.iterdir())]
            body = json.dumps(files).encode()
        elif path.startswith("/api/models/org/tiny"):
            names = [{"rfilename": file.name} for file in sorted(self._folder.iterdir())]
            body = json.dumps({"id": "org/tiny", "sha": COMMIT, "siblings": names}).encode()
        elif path.startswith(f"/org/tiny/resolve/{COMMIT}/"):
            file = self._folder / path.rpartition("/")[2]
            body = file.read_bytes()
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_facts(file)["oid"]}"'}
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body)), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _facts(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    return {"size": len(data), "oid": hashlib.sha1(data).hexdigest()}


@pytest.fixture
def hub(models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the model that the hub has."""
    folder = models["qwen2_5_vl"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder))  # type: ignore[arg-type]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_fetched_where_it_is_nowhere_here(hub: Path, tmp_path: Path) -> None:
    told: list[str] = []
    place = find_model("org/tiny", Setup(model_folders=(tmp_path,)), told.append)
    assert set(told) == {"fetching org/tiny from the hub; this may take long"}
    assert (tmp_path / "home") in place.parents
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        assert (place / name).read_bytes() == (hub / name).read_bytes()


def test_one_that_the_hub_does_not_have_is_told_with_where_to_put_it(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"could not be fetched .*404.*put its files into {tmp_path / 'none'}"):
        find_model("org/none", Setup(model_folders=(tmp_path,)), lambda _: None)


def test_how_far_it_is_is_told_and_whoever_has_enough_ends_it(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_fetch", slow_fetch)
    told: list[str] = []

    def tell(message: str) -> None:
        told.append(message)
        if len(set(told)) == 3:
            raise Unwanted

    with pytest.raises(Unwanted):
        fetch("org/tiny", tell)
    first, *far = dict.fromkeys(told)
    assert first == "fetching org/tiny from the hub; this may take long"
    assert far == [f"fetching org/tiny from the hub: {size} GB so far" for size in ("0.25", "0.50")]


def test_a_hub_that_says_nothing_keeps_nobody_who_has_enough(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_fetch", silent_fetch)

    def tell(message: str) -> None:
        raise Unwanted

    with pytest.raises(Unwanted):
        fetch("org/tiny", tell)


def silent_fetch(_job: fetching._Job) -> Path:
    """Stands for a hub that takes the question and never answers; runs in the process."""
    while True:
        fetching.threading.Event().wait()


def slow_fetch(job: fetching._Job) -> Path:
    """Stands for a fetch that never ends; runs in the process."""
    note, done = fetching.Note(job.note), 0
    fetching.threading.Event().wait(0.5)
    while True:
        done += 250_000_000
        note.tell(done, None)
        fetching.threading.Event().wait(0.3)


def test_secrets_are_no_part_of_a_message() -> None:
    error = OSError("401 for https://user:word@hub.example/x with hf_abcDEF123\nand more")
    assert said(error) == "401 for https://...hub.example/x with ..."
    assert said(OSError()) == "OSError"
