"""Gemini is asked as its REST documents say: the video inline or by the Files API, and no trace of the key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends import Setup, gemini
from mm2energon.videochat.looking import Look
from mm2energon.videochat.perception import Asked

from videochat.loopback import Loopback, Reply, Request, serving

KEY = "AIza-very-secret"
EVEN = Look(tuple(number / 2 for number in range(8)), (False,) * 8)
CLOSER = Look((0.0, 1.0, 1.25, 3.0), (False, True, True, False), ((1.0, 1.5),))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr(gemini, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "secret name.mp4"
    path.write_bytes(b"some video" * 100)
    return path


def asked(video: Path, look: Look = EVEN, **parameters: Any) -> Asked:
    def frames(sizing: Callable[[int, int], tuple[int, int]]) -> list[np.ndarray]:
        return [np.zeros((36, 64, 3), np.uint8)] * len(look.times)

    return Asked("who?", look, 4.0, video, Parameters(**parameters), None, frames)


def piece(*texts: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text} for text in texts]}, **more}]}


STREAM: list[Any] = [piece("It is "), piece("red", "."), {**piece("", finishReason="STOP"), "usageMetadata": {}}]


class Google:
    """Google's side of the Files API and of generateContent."""

    def __init__(self, events: list[Any] = STREAM, states: tuple[str, ...] = ("PROCESSING", "ACTIVE")) -> None:
        self._events, self._states = events, iter(states)
        self.address = ""

    def __call__(self, request: Request) -> Reply:
        path = request.path
        if request.method == "DELETE":
            return Reply(body={})
        if path == "/upload/v1beta/files":
            return Reply(body={}, headers={"X-Goog-Upload-URL": f"{self.address}/place?upload_id=7"})
        if path == "/place?upload_id=7":
            about = {"name": "files/abc", "uri": "https://google/files/abc", "state": "PROCESSING"}
            return Reply(body={"file": about})
        if path == "/v1beta/files/abc":
            return Reply(body={"name": "files/abc", "state": next(self._states)})
        return Reply(events=self._events)


def reply(server: Loopback, *questions: Asked) -> list[str]:
    chat = gemini.open_model("gemini-flash-latest", Setup(gemini_address=server.address), lambda _: None)
    try:
        return ["".join(chat.reply(question, lambda: False)) for question in questions]
    finally:
        chat.close()


def test_a_small_video_goes_along_with_its_rate(video: Path) -> None:
    with serving(Google()) as server:
        assert reply(server, asked(video, max_new_tokens=99, temperature=0.5, top_p=0.9)) == ["It is red."]
    (request,) = server.requests
    assert request.method == "POST"
    assert request.path == "/v1beta/models/gemini-flash-latest:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    body = request.json
    assert body["generationConfig"] == {"maxOutputTokens": 99, "temperature": 0.5, "topP": 0.9}
    (content,) = body["contents"]
    shown, text = content["parts"]
    assert content["role"] == "user"
    assert text == {"text": "who?"}
    assert shown["inlineData"]["mimeType"] == "video/mp4"
    assert base64.b64decode(shown["inlineData"]["data"]) == video.read_bytes()
    assert shown["videoMetadata"] == {"fps": 2.0}


def test_what_is_looked_at_more_closely_goes_along_as_frames_with_their_times(video: Path) -> None:
    with serving(Google()) as server:
        reply(server, asked(video, CLOSER))
    shown, *parts = server.requests[0].json["contents"][0]["parts"]
    assert shown["videoMetadata"] == {"fps": 0.5}
    assert [part["text"] for part in parts if "text" in part][1:] == ["00:01 (1.0 s)", "00:01 (1.25 s)", "who?"]
    frames = [part["inlineData"] for part in parts if "inlineData" in part]
    assert [frame["mimeType"] for frame in frames] == ["image/jpeg"] * 2
    assert all(base64.b64decode(frame["data"])[:2] == b"\xff\xd8" for frame in frames)


def test_a_large_video_is_uploaded_once_for_all_rounds_and_removed(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini, "INLINE_BYTES", 100)
    google = Google()
    with serving(google) as server:
        google.address = server.address
        assert reply(server, asked(video), asked(video, CLOSER)) == ["It is red."] * 2
    begun, sent, first_look, second_look, one, two, removed = server.requests
    assert begun.headers["x-goog-upload-protocol"] == "resumable"
    assert begun.headers["x-goog-upload-command"] == "start"
    assert begun.headers["x-goog-upload-header-content-length"] == "1000"
    assert begun.headers["x-goog-upload-header-content-type"] == "video/mp4"
    assert "secret name" not in begun.body.decode()
    assert sent.headers["x-goog-upload-command"] == "upload, finalize"
    assert sent.headers["x-goog-upload-offset"] == "0"
    assert sent.body == video.read_bytes()
    assert first_look.path == second_look.path == "/v1beta/files/abc"
    for request in (one, two):
        shown = request.json["contents"][0]["parts"][0]
        assert shown["fileData"] == {"mimeType": "video/mp4", "fileUri": "https://google/files/abc"}
    assert (removed.method, removed.path) == ("DELETE", "/v1beta/files/abc")


def test_a_video_that_google_cannot_read_is_told(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini, "INLINE_BYTES", 100)
    google = Google(states=("FAILED",))
    with serving(google) as server:
        google.address = server.address
        with pytest.raises(InputError, match="Gemini: it cannot read the video"):
            reply(server, asked(video))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], r"does not answer this question \(SAFETY\)"),
        ([piece("It"), {"candidates": [{"finishReason": "RECITATION"}]}], r"broke off its answer \(RECITATION\)"),
        ([{"candidates": [{"finishReason": "MAX_TOKENS"}]}], "gave no text; .* raise the new tokens"),
        ([], "gave no text"),
        ([{"error": {"code": 503, "message": f"overloaded {KEY}"}}], r"overloaded \*\*\*"),
    ],
)
def test_an_answer_that_is_none_is_told(video: Path, events: list[Any], message: str) -> None:
    with serving(Google(events)) as server, pytest.raises(InputError, match=message):
        reply(server, asked(video))


def test_thoughts_are_no_part_of_the_answer(video: Path) -> None:
    thought = {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "red"}]}}]}
    with serving(Google([thought])) as server:
        assert reply(server, asked(video)) == ["red"]


def test_a_refusal_is_told_without_the_key(video: Path) -> None:
    said = {"error": {"code": 400, "message": f"API key not valid: {KEY}", "status": "INVALID_ARGUMENT"}}
    with serving(lambda _: Reply(400, said)) as server, pytest.raises(InputError, match=r"not valid: \*\*\*") as caught:
        reply(server, asked(video))
    assert KEY not in repr(caught.value)


def test_without_a_key_it_is_said_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gemini.ready(Setup()).ok
    assert gemini.models(Setup()) == ["gemini-flash-latest"]
    monkeypatch.delenv("GEMINI_API_KEY")
    assert not gemini.ready(Setup()).ok
    assert "GEMINI_API_KEY" in gemini.ready(Setup()).message
    with pytest.raises(InputError, match="GEMINI_API_KEY"):
        gemini.open_model("gemini-flash-latest", Setup(), lambda _: None)


@pytest.mark.parametrize("name", ["../x", "a/b", "a?b", "a#b"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="model"):
        gemini.open_model(name, Setup(), lambda _: None)
