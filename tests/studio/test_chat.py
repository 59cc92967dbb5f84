"""Questions are asked of a model about videos that came in; answers stream, are kept, and can be had again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from mm2energon.studio import chat_events
from mm2energon.studio.chat_events import encoded
from mm2energon.videochat.asking import Event
from starlette.testclient import TestClient

from studio.opened import HEADERS, opened
from studio.trying import MODEL, install, listening, write_data

VIDEOS, ASKS = "/api/chat/videos", "/api/chat/asks"


class Script:
    """What the model says: for each question the pieces of its reply; it waits where it is told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, asked: Any, stop: Callable[[], bool]) -> Iterator[str]:
        if "break" in asked.prompt:
            raise RuntimeError("the weights are gone")
        for piece in ("<answer>It is", " red\n<video> & <b>", "</answer>"):
            yield piece
            while not self.go_on.wait(0.02):
                if stop():
                    return


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, script: Script) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        install(patch, script)
        with opened(write_data(folder / "data")) as page:
            yield page


@pytest.fixture(scope="module")
def video(page: TestClient) -> dict[str, Any]:
    """The clip of the dataset, taken in."""
    return taken(page, {"number": 0})


def taken(page: Any, asked: dict[str, Any]) -> dict[str, Any]:
    job = page.post(VIDEOS, json=asked).json()["job"]
    for _ in range(1200):
        told: dict[str, Any] = page.get(f"{VIDEOS}/jobs/{job}").json()
        if told["state"] not in ("waiting", "running"):
            found: dict[str, Any] = told["video"]
            return found
        time.sleep(0.05)
    raise AssertionError("the job is never over")


def question(video: dict[str, Any], text: str = "What colour?", **more: Any) -> dict[str, Any]:
    asked = {"backend": MODEL, "model": "it", "video": video["id"], "question": text, "parameters": {"iterations": 1}}
    return {**asked, **more}


def events(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    """The events of a stream: number, kind, data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def ask(page: Any, asked: dict[str, Any]) -> str:
    answer = page.post(ASKS, json=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_there_are_models_to_ask_and_usual_parameters(page: TestClient) -> None:
    told = page.get("/api/chat/models").json()
    assert {row["name"]: row["ready"] for row in told["backends"]}[MODEL] is True
    assert told["adapters"] == []
    assert {"iterations", "fps", "first_prompt", "next_prompt", "frame_budget"} <= set(told["defaults"])
    assert page.get("/api/session").json()["features"]["chat"] == {"ready": True, "message": ""}


def test_an_answer_streams_and_is_in_the_history(page: TestClient, video: dict[str, Any]) -> None:
    name = ask(page, question(video))
    stream = page.get(f"{ASKS}/{name}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    told = events(stream.text)
    assert [number for number, _, _ in told] == list(range(1, len(told) + 1))
    kinds = [kind for _, kind, _ in told]
    assert kinds[-3:] == ["token", "answer", "done"]
    assert "round" in kinds
    said = "".join(data["text"] for _, kind, data in told if kind == "token")
    assert said == "<answer>It is red\n<video> & <b></answer>"
    entry = page.get("/api/chat/history").json()["asks"][0]
    assert (entry["id"], entry["state"], entry["question"]) == (name, "done", "What colour?")
    assert entry["video"] == video
    assert entry["answers"][0]["text"] == "It is red\n<video> & <b>"
    assert not {"video_path", "who"} & set(entry)
    assert page.get(f"{ASKS}/{name}").json() == entry


def test_a_page_that_comes_back_gets_the_events_that_it_lacks(page: TestClient, video: dict[str, Any]) -> None:
    name = ask(page, question(video))
    whole = events(page.get(f"{ASKS}/{name}/events").text)
    for seen in (0, 2, len(whole) - 1, len(whole), 10_000):
        missed = page.get(f"{ASKS}/{name}/events", headers={"Last-Event-ID": str(seen)})
        assert events(missed.text) == whole[seen:]
    assert events(page.get(f"{ASKS}/{name}/events", params={"after": 3}).text) == whole[3:]
    for odd in ("", "x", "-1", "1e3", "²"):
        again = page.get(f"{ASKS}/{name}/events", headers={"Last-Event-ID": odd.encode()})
        assert events(again.text) == whole


def test_a_question_that_breaks_the_model_fails_alone(page: TestClient, video: dict[str, Any]) -> None:
    name = ask(page, question(video, "break"))
    last = events(page.get(f"{ASKS}/{name}/events").text)[-1]
    assert last[1] == "failed"
    assert "the weights are gone" in last[2]["message"]
    assert events(page.get(f"{ASKS}/{ask(page, question(video))}/events").text)[-1][1] == "done"


def test_questions_wait_and_are_cancelled_and_the_share_of_one_has_an_end(
    page: TestClient, video: dict[str, Any], script: Script
) -> None:
    script.go_on.clear()
    try:
        names = [ask(page, question(video))]
        while page.get(f"{ASKS}/{names[0]}").json()["answers"] == []:
            time.sleep(0.02)
        names += [ask(page, question(video)) for _ in range(10)]
        refused = page.post(ASKS, json=question(video))
        assert (refused.status_code, "wait already" in refused.json()["error"]["message"]) == (400, True)
        for name in names:
            assert page.post(f"{ASKS}/{name}/cancel").json() == {"cancelled": True}
            assert events(page.get(f"{ASKS}/{name}/events").text)[-1][1] == "cancelled"
        assert page.post(f"{ASKS}/{names[0]}/cancel").json() == {"cancelled": False}
    finally:
        script.go_on.set()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"video": "0" * 32}, 404),
        ({"video": "../../etc/passwd"}, 404),
        ({"question": ""}, 400),
        ({"question": "x" * 30_000}, 400),
        ({"question": "x" * 200_000}, 422),
        ({"question": "\ud800"}, 422),
        ({"backend": "none"}, 400),
        ({"model": "other"}, 400),
        ({"adapters": []}, 422),
        ({"adapters": ["a", "b", "c"]}, 422),
        ({"adapters": ["missing"]}, 400),
        ({"adapters": ["../.."]}, 400),
        ({"adapters": [None, None]}, 400),
        ({"parameters": {"iterations": 11}}, 400),
        ({"parameters": {"iterations": "3"}}, 400),
        ({"parameters": {"temperature": -1}}, 400),
        ({"parameters": {"first_prompt": "without a mark"}}, 400),
        ({"parameters": {"strange": 1}}, 400),
        ({"parameters": []}, 422),
        ({"more": 1}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(
    page: TestClient, video: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    body = json.dumps({**question(video), **change})
    answer = page.post(ASKS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/events", "", "/cancel", "/keep"])
@pytest.mark.parametrize("name", ["none", "0" * 16, "..", "%2e%2e"])
def test_a_question_that_nobody_asked_is_not_there(page: TestClient, path: str, name: str) -> None:
    method = "POST" if path in ("/cancel", "/keep") else "GET"
    assert page.request(method, f"{ASKS}/{name}{path}", json={}).status_code in (404, 405, 422)


def test_browsers_that_come_from_one_address_take_turns(
    page: TestClient, video: dict[str, Any], script: Script
) -> None:
    script.go_on.clear()
    try:
        names = [ask(page, question(video, who=who)) for who in ("anna", "anna", "anna", "ben")]
    finally:
        script.go_on.set()
    told = [events(page.get(f"{ASKS}/{name}/events").text) for name in names]
    first_place = next(data["position"] for _, kind, data in told[-1] if kind == "queued")
    assert first_place <= 2  # 1, or 2 where none of anna's was taken yet
    assert all(one[-1][1] == "done" for one in told)


def test_an_answer_is_kept_as_a_sample_of_the_datasets_own_video(page: TestClient, video: dict[str, Any]) -> None:
    name = ask(page, question(video, "<image>What colour?"))
    assert page.post(f"{ASKS}/{name}/keep", json={"adapter": "other"}).status_code == 409
    page.get(f"{ASKS}/{name}/events")
    number = page.post(f"{ASKS}/{name}/keep", json={"adapter": None}).json()["number"]
    assert page.post(f"{ASKS}/{name}/keep", json={"adapter": None}).json()["number"] == number  # and only once
    item = page.get(f"/api/items/{number}").json()
    turns = [(turn["role"], turn["text"]) for turn in item["sample"]["turns"]]
    assert turns == [("user", "<video>\nimageWhat colour?"), ("assistant", "It is red\nvideo & <b>")]
    assert [medium["name"] for medium in item["media"]] == ["clip.mp4"]
    assert item["status"] == "pending"


def test_an_answer_that_was_kept_before_a_restart_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Script())
    data = write_data(tmp_path / "data")
    with opened(data) as page:
        names = [ask(page, question(taken(page, {"number": 0}))) for _ in range(2)]
        for name in names:
            page.get(f"{ASKS}/{name}/events")
        first = page.post(f"{ASKS}/{names[0]}/keep", json={}).json()["number"]
    with opened(data) as page:
        assert page.post(f"{ASKS}/{names[1]}/keep", json={}).json()["number"] == first + 1
        assert page.post(f"{ASKS}/{names[0]}/keep", json={}).json()["number"] == first
        assert page.get("/api/session").json()["dataset"]["count"] == first + 2


def test_an_answer_about_a_video_from_outside_is_kept_with_it(page: Any, tmp_path: Path) -> None:
    from media import write_clip

    outside = write_clip(tmp_path / "o.mp4", frames=10, rate=10, first=50).read_bytes()
    video = page.put(VIDEOS, params={"name": "../Mein Film!.mp4"}, content=outside).json()["video"]
    name = ask(page, question(video))
    page.get(f"{ASKS}/{name}/events")
    number = page.post(f"{ASKS}/{name}/keep", json={}).json()["number"]
    medium = page.get(f"/api/items/{number}").json()["media"][0]
    assert medium["name"].startswith("kept_videos/Mein-Film-")
    assert page.get(medium["url"]).content == page.get(video["url"]).content


def test_open_streams_beat_others_are_answered_and_all_ends_with_the_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_events, "_SILENCE_SECONDS", 0.1)
    script = Script()
    script.go_on.clear()
    install(monkeypatch, script)
    with ExitStack() as clients:
        with listening(write_data(tmp_path / "data")) as address:
            page = clients.enter_context(httpx.Client(base_url=address, headers=HEADERS | {"Origin": address}))
            name = ask(page, question(taken(page, {"number": 0})))
            lines = clients.enter_context(page.stream("GET", f"{ASKS}/{name}/events")).iter_lines()
            assert next(line for line in lines if line.startswith("event: token"))
            assert next(line for line in lines if line == ": still here")
            with page.stream("GET", f"{ASKS}/{name}/events", headers={"Last-Event-ID": "1"}) as again:
                assert next(line for line in again.iter_lines() if line.startswith("id: ")) == "id: 2"
            assert page.get("/api/session").status_code == 200
        with suppress(httpx.RemoteProtocolError):  # cut off, where the question was not ended in time
            assert not [line for line in lines if line.startswith("event: done")]


def test_an_event_is_one_block_whatever_its_text() -> None:
    event = Event(7, "token", {"text": "a\nb\r\n\u2028\x00é\ud800", "adapter": None})
    block = encoded(event)
    assert block.count(b"\n\n") == 1
    assert block.endswith(b"\n\n")
    assert len(block.splitlines()) == 4
    assert events(block.decode()) == [(7, "token", {"text": "a\nb\r\n\u2028\x00é\ud800", "adapter": None})]
