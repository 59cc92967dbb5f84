"""A server with OpenAI's interface is asked as its documents say, and its key is nowhere to be seen."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends import Setup, openai
from mm2energon.videochat.frames import Unwanted
from mm2energon.videochat.looking import Look
from mm2energon.videochat.perception import Asked
from PIL import Image

from videochat.loopback import Loopback, Reply, Request, serving

KEY = "sk-very-secret"
LOOK = Look((0.0, 1.0, 1.25, 3.0), (False, True, True, False), ((1.0, 1.5),))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_VIDEO"):
        monkeypatch.delenv(name, raising=False)
    openai.forget_models()


def asked(**parameters: Any) -> Asked:
    def frames(sizing: Callable[[int, int], tuple[int, int]]) -> list[np.ndarray]:
        width, height = sizing(1920, 1080)
        return [np.full((height, width, 3), (number * 60, 0, 0), np.uint8) for number in range(4)]

    return Asked("who?", LOOK, 3.5, Path("clip.mp4"), Parameters(**parameters), None, frames)


def piece(text: str | None) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


STREAM: list[Any] = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    piece("It is "),
    piece("red."),
    piece(None),
    {"choices": [], "usage": {"total_tokens": 9}},
    "[DONE]",
]


def answering(events: list[Any] = STREAM) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        if request.path == "/v1/models":
            return Reply(body={"object": "list", "data": [{"id": "qwen"}, {"id": "other"}]})
        return Reply(events=events)

    return answer


def setup(server: Loopback, **more: Any) -> Setup:
    return Setup(openai_address=f"{server.address}/v1", openai_key=KEY, **more)


def reply(
    server: Loopback, question: Asked | None = None, stop: Callable[[], bool] = lambda: False, **more: Any
) -> str:
    chat = openai.open_model("qwen", setup(server, **more), lambda _: None)
    try:
        return "".join(chat.reply(question or asked(), stop))
    finally:
        chat.close()


def test_the_request_is_a_chat_with_images_behind_their_times() -> None:
    with serving(answering()) as server:
        assert reply(server, asked(max_new_tokens=99, temperature=0.5, top_p=0.9)) == "It is red."
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    body = request.json
    (message,) = body.pop("messages")
    assert body == {
        "model": "qwen",
        "stream": True,
        "max_tokens": 99,
        "temperature": 0.5,
        "top_p": 0.9,
        "repetition_penalty": 1.05,
    }
    assert message["role"] == "user"
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["text", "image_url"] * 4 + ["text"]
    assert [part["text"] for part in message["content"][0:8:2]] == ["[0.0 s]", "[1.0 s]", "[1.25 s]", "[3.0 s]"]
    assert message["content"][-1]["text"].endswith("\nwho?")
    for number, part in enumerate(message["content"][1:8:2]):
        head, data = part["image_url"]["url"].split(",")
        assert head == "data:image/jpeg;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        assert (picture.format, picture.size) == ("JPEG", (768, 432))
        assert abs(picture.getpixel((9, 9))[0] - number * 60) < 6


def test_ends_of_lines_within_a_text_end_no_event() -> None:
    text = "a\u2028b\u2029c\x85d\x1ce\x0bf 😀"
    with serving(answering([json.dumps(piece(text), ensure_ascii=False), "[DONE]"])) as server:
        assert reply(server) == text


def test_a_server_that_does_not_stream_is_heard_too() -> None:
    with serving(lambda _: Reply(body={"choices": [{"message": {"role": "assistant", "content": "red"}}]})) as server:
        assert reply(server) == "red"


def test_an_answer_without_a_text_is_told() -> None:
    for events in ([piece(None), "[DONE]"], ["[DONE]"]):
        with serving(answering(events)) as server, pytest.raises(InputError, match="gave no text"):
            reply(server)
    filtered = {"choices": [{"delta": {"content": "It"}, "finish_reason": "content_filter"}]}
    with serving(answering([filtered])) as server, pytest.raises(InputError, match="content_filter"):
        reply(server)


def test_vllm_can_be_given_a_video_with_the_times_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_VIDEO", "1")
    with serving(answering()) as server:
        reply(server)
    body = server.requests[0].json
    video, text = body["messages"][0]["content"]
    head, *frames = video["video_url"]["url"].split(",")
    assert (video["type"], head, len(frames)) == ("video_url", "data:video/jpeg;base64", 4)
    assert all(base64.b64decode(frame, validate=True)[:2] == b"\xff\xd8" for frame in frames)
    about = body["media_io_kwargs"]["video"]
    assert [place / about["fps"] for place in about["frames_indices"]] == list(LOOK.times)
    assert about["total_num_frames"] / about["fps"] == about["duration"] == 3.5
    assert about["do_sample_frames"] is False
    assert "0.0, 1.0, 1.25, 3.0" in text["text"]


def test_pieces_come_as_they_are_made() -> None:
    hold = threading.Event()
    with serving(lambda _: Reply(events=STREAM, hold=hold)) as server:
        chat = openai.open_model("qwen", setup(server), lambda _: None)
        pieces = chat.reply(asked(), lambda: False)
        assert [next(pieces), next(pieces)] == ["It is ", "red."]
        hold.set()
        chat.close()


def test_a_reply_that_is_stopped_waits_for_nothing() -> None:
    hold = threading.Event()
    stop = threading.Event()
    with serving(lambda _: Reply(events=STREAM[:3], hold=hold)) as server:
        chat = openai.open_model("qwen", setup(server), lambda _: None)
        pieces = chat.reply(asked(), stop.is_set)
        next(pieces)
        stop.set()
        with pytest.raises(Unwanted):
            list(pieces)
        hold.set()


def test_a_silent_server_hears_at_once_that_a_reply_is_unwanted() -> None:
    stop, hung_up = threading.Event(), threading.Event()

    def answer(request: Request) -> Reply:
        if len(server.requests) > 1:
            return Reply(events=STREAM)
        stop.set()
        return Reply(hung_up=hung_up)

    with serving(answer) as server:
        chat = openai.open_model("qwen", setup(server), lambda _: None)
        with pytest.raises(Unwanted):
            list(chat.reply(asked(), stop.is_set))
        assert hung_up.wait(10)
        assert "".join(chat.reply(asked(), lambda: False)) == "It is red."
        chat.close()


@pytest.mark.parametrize("name", ["repetition_penalty", "top_p", "max_tokens"])
def test_what_a_server_does_not_know_is_left_out_or_said_otherwise(name: str) -> None:
    def answer(request: Request) -> Reply:
        if name in request.json:
            return Reply(400, {"error": {"message": f"Unrecognized request argument supplied: {name}"}})
        return Reply(events=STREAM)

    with serving(answer) as server:
        chat = openai.open_model("qwen", setup(server), lambda _: None)
        assert "".join(chat.reply(asked(), lambda: False)) == "It is red."
        assert "".join(chat.reply(asked(), lambda: False)) == "It is red."
        chat.close()
    assert len(server.requests) == 3
    assert (server.requests[-1].json.get("max_completion_tokens") == 1024) == (name == "max_tokens")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, "401 .*provided: \\*\\*\\*; a valid key"),
        (404, {"detail": "Not Found"}, "404 .*Not Found; check the model's name"),
        (429, {"error": "slow down"}, "429 .*slow down; it has too much to do"),
        (400, {"message": "context length"}, "400 .*context length"),
        (500, [], "500"),
    ],
)
def test_a_refusal_is_told_without_the_key(status: int, body: Any, message: str) -> None:
    with serving(lambda _: Reply(status, body)) as server, pytest.raises(InputError, match=message) as caught:
        reply(server)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("event", ["no json", "[1]", {"error": {"message": "out of memory"}}])
def test_a_stream_that_breaks_is_told(event: Any) -> None:
    with (
        serving(answering([piece("It"), event])) as server,
        pytest.raises(InputError, match="cannot be read|out of memory"),
    ):
        reply(server)


def test_a_server_that_is_not_there_is_told_without_the_key() -> None:
    with serving(answering()) as server:
        gone = server
    with pytest.raises(InputError, match="cannot be reached") as caught:
        reply(gone)
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__) + repr(setup(gone))
    ready = openai.ready(setup(gone))
    assert not ready.ok
    assert "cannot be reached" in ready.message


def test_redirects_are_not_followed_with_the_key() -> None:
    with serving(answering()) as other:
        away = {"Location": f"{other.address}/v1/chat/completions"}
        with serving(lambda _: Reply(307, {}, headers=away)) as server, pytest.raises(InputError, match="307"):
            reply(server)
    assert other.requests == []


def test_the_models_are_those_that_the_server_lists() -> None:
    with serving(answering()) as server:
        assert openai.models(setup(server)) == ["qwen", "other"]
        assert openai.ready(setup(server)).ok
    assert [request.path for request in server.requests] == ["/v1/models"]


def test_a_list_that_cannot_be_read_is_told() -> None:
    with serving(lambda _: Reply(body={"models": []})) as server:
        assert openai.models(setup(server)) == []
        assert "/v1" in openai.ready(setup(server)).message


def test_a_server_that_lists_nothing_can_be_asked_by_name() -> None:
    with serving(lambda _: Reply(404, {"detail": "Not Found"})) as server:
        ready = openai.ready(setup(server))
    assert ready.ok
    assert "name the one to ask" in ready.message


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OPENAI_BASE_URL" in openai.ready(Setup()).message
    with pytest.raises(InputError, match="OPENAI_BASE_URL"):
        openai.open_model("qwen", Setup(), lambda _: None)
    with serving(answering()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.address}/v1/")
        assert openai.models(Setup()) == ["qwen", "other"]
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert openai.models(Setup()) == ["qwen", "other"]
    assert "authorization" not in server.requests[0].headers
    assert server.requests[1].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_alone_means_openai_itself_which_has_words_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert openai.address(Setup()) == "https://api.openai.com/v1"
    chat = openai.open_model("gpt", Setup(), lambda _: None)
    said = chat.known({"model": "gpt", "max_tokens": 5, "repetition_penalty": 1.05, "top_p": 1.0})
    assert said == {"model": "gpt", "max_completion_tokens": 5, "top_p": 1.0}


@pytest.mark.parametrize(("address", "key"), [("ftp://a/v1", None), ("http://a/v1", "k\u00e9y\n")])
def test_an_address_or_key_that_cannot_be_is_told(address: str, key: str | None) -> None:
    with pytest.raises(InputError) as caught:
        openai.open_model("qwen", Setup(openai_address=address, openai_key=key), lambda _: None)
    assert "k\u00e9y" not in str(caught.value)
