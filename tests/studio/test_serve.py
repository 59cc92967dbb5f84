"""A studio as a process: it says where it is once it answers, keeps what was decided, and stops without a trace."""

import asyncio
import signal
import socket
import threading

import httpx
import pytest
import uvicorn
from mm2energon.studio import serve

from studio.opened import chat, write_entries
from studio.process import running, start

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    return write_entries(root / "d.json", [{"conversations": chat(f"{n}?", str(n))} for n in range(200)])


def wait_until_indexed(page):
    while not page.get("/api/session").json()["dataset"]["indexed"]:
        pass


def statuses(page):
    return page.post("/api/views", json={}).json()["counts"]["status"]


def test_decisions_outlive_a_studio_that_is_killed_amid_them(data):
    answered = []
    with running(data) as studio:
        wait_until_indexed(studio.page)

        def decide():
            for number in range(200):
                try:
                    answer = studio.page.post(f"/api/items/{number}/decision", json={"do": "accept"})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200
                answered.append(number)
                if number == 20:
                    amid.set()

        amid = threading.Event()
        thread = threading.Thread(target=decide)
        thread.start()
        assert amid.wait(60)
        studio.end(signal.SIGKILL)
        thread.join(60)
    assert 20 < len(answered) < 200
    with running(data) as studio:
        wait_until_indexed(studio.page)
        view = studio.page.post("/api/views", json={"status": ["accepted"]}).json()["id"]
        found = studio.page.get(f"/api/views/{view}/rows?limit=1000").json()["rows"]
        kept = [row["number"] for row in found]
        assert kept[: len(answered)] == answered and len(kept) - len(answered) in (0, 1)  # the last had no answer yet
        body = {"do": "reject", "reason": "after"}
        assert studio.page.post("/api/items/199/decision", json=body).json()["status"] == "rejected"
        assert statuses(studio.page)["rejected"] == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_stops_without_a_trace_also_amid_open_answers(data, number, status):
    big = data.parent / "big.wav"
    with big.open("wb") as file:
        file.write(b"RIFF\0\0\0\0WAVE")
        file.truncate(200 << 20)
    write_entries(data, [{"conversations": chat("<audio>"), "audios": ["big.wav"]}])
    with running(data) as studio:
        wait_until_indexed(studio.page)
        host, _, port = studio.address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as reader:
            ask = f"GET /api/items/0/media/audio/0 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
            reader.sendall(ask.encode())
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
            found, out, err = studio.end(number)
    assert found == status and "Traceback" not in out + err
    assert (out if status == 0 else err).startswith("stopped")


async def answer_late(_scope, _receive, send):
    """In the place of the studio: an answer that takes many times as long as a request may."""
    await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"late"})


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_a_connection_without_a_whole_request_ends_and_an_answer_that_takes_long_comes(sent, monkeypatch):
    monkeypatch.setattr(serve, "_HEAD_SECONDS", 0.1)
    config = uvicorn.Config(answer_late, http=serve._Connection, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with socket.create_connection(listener.getsockname(), timeout=30) as page:
            page.sendall(sent)
            said = b"".join(iter(lambda: page.recv(1 << 16), b""))  # until it is closed by the other side
        server.should_exit = True
        thread.join()
    assert said.endswith(b"late") == sent.endswith(b"\r\n\r\n")


def test_an_address_of_another_machine_is_said_in_a_line(data):
    process = start(data, "--host", "192.0.2.1", "--token", "a-token-that-nobody-guesses", "--port", 0)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err == (
        "error: --host 192.0.2.1: Cannot assign requested address; an address of this machine was expected\n"
    )


def test_a_port_that_is_taken_is_said_with_what_to_do(data):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(data, "--port", port)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert f"--port {port}" in err and "another program" in err and len(err.splitlines()) == 1


def test_others_are_let_in_with_a_token_alone(data, tmp_path):
    process = start(data, "--host", "0.0.0.0", "--port", "0")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "token" in err
    (tmp_path / "token").write_text(TOKEN + "\n")
    with running(data, "--host", "0.0.0.0", "--token-file", tmp_path / "token") as studio:
        assert "token" in studio.process.stdout.readline()
        assert studio.page.get("/api/session").status_code == 401
        assert studio.page.post("/api/login", json={"token": TOKEN}).status_code == 200
        assert studio.page.get("/api/session").json()["needs_token"] is True
        assert TOKEN not in studio.line
    with running(data, MM2ENERGON_STUDIO_TOKEN=TOKEN) as studio:
        assert studio.page.get("/api/session").status_code == 401
        assert studio.page.get("/api/session", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert studio.page.get("/", headers={"Host": "evil.example"}).status_code == 403
        assert "server" not in studio.page.get("/").headers


def test_what_is_no_data_is_said_in_one_line(tmp_path):
    process = start(tmp_path / "none.json", "--port", "0")
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1 and err.startswith("error: ") and len(err.splitlines()) == 1
