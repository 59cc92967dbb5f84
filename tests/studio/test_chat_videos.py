"""Videos come in by upload, from a URL, and from the dataset; they go out as copies alone."""

from __future__ import annotations

import errno
import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from media import read_number, write_clip, write_image
from mm2energon.studio import chat_videos
from starlette.testclient import TestClient
from videochat.web import Web, give, serving, stalling

from studio.opened import HEADERS, entry, opened, write_entries
from studio.trying import install, listening, write_data

VIDEOS = "/api/chat/videos"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mov", frames=20, rate=10).read_bytes()


@pytest.fixture(scope="module")
def web(clip: bytes) -> Iterator[Web]:
    with serving({"/v.mp4": give(clip), "/slow.mp4": stalling(clip)}) as served:
        yield served


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, web: Web) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda _asked, _stop: iter(()), web.allowed)
        with opened(write_data(folder / "data"), max_upload_bytes=1 << 20) as page:
            page.folder = folder  # type: ignore[attr-defined]
            yield page


def settled(page: Any, job: str) -> dict[str, Any]:
    """What became of a job."""
    for _ in range(1200):
        told: dict[str, Any] = page.get(f"{VIDEOS}/jobs/{job}").json()
        if told["state"] not in ("waiting", "running"):
            return told
        time.sleep(0.05)
    raise AssertionError("the job is never over")


def numbers(data: bytes) -> list[int | None]:
    with av.open(io.BytesIO(data)) as container:
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def left(folder: Path) -> list[Path]:
    """What lies in the cache that is no copy."""
    return list((folder / "cache" / "videos" / "work").iterdir())


def test_an_upload_comes_back_as_a_copy_that_plays_and_seeks(page: Any, clip: bytes) -> None:
    answer = page.put(VIDEOS, params={"name": "C:\\films\\../Мой фильм.mov"}, content=clip)
    video = answer.json()["video"]
    assert answer.status_code == 200
    assert (video["name"], video["duration"], video["fps"]) == ("Мой фильм.mov", 2.0, 10.0)
    assert (video["width"], video["height"], video["notes"]) == (160, 96, [])
    whole = page.get(video["url"])
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert len(whole.content) == video["bytes"]
    assert numbers(whole.content) == list(range(20))
    part = page.get(video["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert page.head(video["url"]).headers["content-length"] == str(video["bytes"])
    assert left(page.folder) == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "nothing was sent"),
        (b"<html>" * 10, 422, "it is a text"),
        (b"\0\1\2" * 1000, 422, "no video"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 422, "it is a text"),
        (b"\0" * (1 << 20) + b"\0", 413, "more than 1048576 bytes"),
    ],
)
def test_what_is_no_video_or_too_large_is_refused_and_nothing_stays(
    page: Any, body: bytes, status: int, said: str
) -> None:
    for content in (body, iter([body[: len(body) // 2], body[len(body) // 2 :]])):
        answer = page.put(VIDEOS, params={"name": "x.mp4"}, content=content)
        assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True), answer.text
        assert str(page.folder) not in answer.text
    assert left(page.folder) == []


def test_a_disk_that_is_full_is_said(page: Any, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(chat_videos, "receive", full)
    answer = page.put(VIDEOS, params={"name": "v.mov"}, content=clip)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk")
    assert "No space left" in answer.json()["error"]["message"]
    assert left(page.folder) == []


def test_who_does_not_wait_for_an_upload_is_told_of_the_job(page: TestClient, clip: bytes) -> None:
    answer = page.put(VIDEOS, params={"name": "v.mov", "wait": 0}, content=clip)
    assert answer.status_code == 202
    told = settled(page, answer.json()["job"])
    assert (told["state"], told["video"]["name"], told["error"]) == ("done", "v.mov", None)


def test_a_url_is_fetched_as_a_job_and_the_same_content_is_the_same_video(
    page: TestClient, web: Web, clip: bytes
) -> None:
    first = settled(page, page.post(VIDEOS, json={"url": web.url("/v.mp4")}).json()["job"])
    assert (first["state"], first["video"]["name"]) == ("done", "v.mp4")
    again = page.put(VIDEOS, params={"name": "other"}, content=clip).json()["video"]
    assert again["id"] == first["video"]["id"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://127.0.0.1:22/", "http://u:p@example.com/", "gopher://x/", "", "http://"]
)
def test_a_url_that_is_none_is_refused_at_once(page: TestClient, url: str) -> None:
    answer = page.post(VIDEOS, json={"url": url})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-input")


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/x.mp4", "http://localhost/x.mp4", "http://[::1]/", "http://0/"]
)
def test_an_address_that_is_not_public_is_not_asked(page: TestClient, url: str) -> None:
    told = settled(page, page.post(VIDEOS, json={"url": url}).json()["job"])
    assert told["state"] == "failed"
    assert "no public address" in told["error"]


def test_a_job_is_cancelled(page: Any, web: Web) -> None:
    job = page.post(VIDEOS, json={"url": web.url("/slow.mp4")}).json()["job"]
    assert page.delete(f"{VIDEOS}/jobs/{job}").status_code == 200
    assert settled(page, job)["state"] == "cancelled"
    assert left(page.folder) == []


def test_one_person_has_so_many_videos_under_way_and_no_more(page: TestClient, web: Web, clip: bytes) -> None:
    jobs = [page.post(VIDEOS, json={"url": web.url("/slow.mp4")}).json()["job"] for _ in range(4)]
    for answer in (
        page.post(VIDEOS, json={"url": web.url("/v.mp4")}),
        page.put(VIDEOS, params={"name": "x"}, content=clip),
        page.post(VIDEOS, json={"number": 0}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
    for job in jobs:
        page.delete(f"{VIDEOS}/jobs/{job}")
        settled(page, job)
    assert page.put(VIDEOS, params={"name": "x"}, content=clip).status_code == 200


def test_a_video_of_the_dataset_is_taken_by_its_number(page: TestClient) -> None:
    told = settled(page, page.post(VIDEOS, json={"number": 0, "index": 0}).json()["job"])
    assert told["video"]["name"] == "clip.mp4"
    assert numbers(page.get(told["video"]["url"]).content) == list(range(20))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"url": "http://example.com/", "number": 0}, 400),
        ({"number": 99}, 404),
        ({"number": 0, "index": 1}, 404),
        ({"number": 1}, 404),
        ({"number": 2}, 404),
        ({"number": -1}, 422),
        ({"number": "0; rm"}, 422),
        ({"path": "/etc/passwd"}, 422),
    ],
)
def test_what_is_no_video_of_the_dataset_is_said_to_be_none(page: TestClient, asked: Any, status: int) -> None:
    answer = page.post(VIDEOS, json=asked)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_video_that_is_a_list_of_frames_becomes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _asked, _stop: iter(()))
    data = tmp_path / "data"
    data.mkdir()
    names = [write_image(data / f"{number}.jpg", size=(160, 96), number=number).name for number in range(5)]
    write_entries(data / "d.json", [entry("video", names)])
    with opened(data / "d.json") as page:
        told = settled(page, page.post(VIDEOS, json={"number": 0}).json()["job"])
        assert numbers(page.get(told["video"]["url"]).content) == list(range(5))


@pytest.mark.parametrize("name", ["0" * 32, "x", "jobs", "%00", "a%0Ab"])
def test_what_never_came_in_is_not_there(page: TestClient, name: str) -> None:
    assert page.get(f"{VIDEOS}/{name}").status_code in (404, 422)
    assert page.get(f"{VIDEOS}/jobs/{name}").status_code in (404, 422)
    assert page.delete(f"{VIDEOS}/jobs/{name}").status_code in (404, 422)


def test_without_the_header_of_the_page_nothing_comes_in(page: TestClient, clip: bytes) -> None:
    answer = page.put(VIDEOS, params={"name": "x"}, content=clip, headers={"X-Studio": "0"})
    assert answer.status_code == 403


def test_an_upload_that_is_cut_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: bytes) -> None:
    install(monkeypatch, lambda _asked, _stop: iter(()))
    with listening(write_data(tmp_path / "data")) as address:
        place = httpx.URL(address)
        with socket.create_connection((place.host, place.port or 0)) as connection:
            head = f"PUT {VIDEOS}?name=x HTTP/1.1\r\nHost: {place.host}:{place.port}\r\nX-Studio: 1\r\n"
            connection.sendall(f"{head}Content-Length: {len(clip)}\r\n\r\n".encode() + clip[:1000])
            while not left(tmp_path):
                time.sleep(0.02)
        for _ in range(500):
            if not left(tmp_path):
                break
            time.sleep(0.02)
        assert left(tmp_path) == []
        assert httpx.get(f"{address}/api/session").status_code == 200


def test_a_name_of_any_kind_is_a_name_and_nothing_else(page: TestClient, clip: bytes) -> None:
    for name, shown in (
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        ("a\r\nSet-Cookie: x.mp4", "a\\r\\nSet-Cookie: x.mp4"),
    ):
        body = clip + name.encode()  # so that each is another video
        video = page.put(VIDEOS, params={"name": name}, content=body).json()["video"]
        assert video["name"] == shown
        sent = page.get(video["url"])
        assert "set-cookie" not in sent.headers
        assert json.dumps(dict(sent.headers)).isascii()
    assert HEADERS["X-Studio"] == "1"
