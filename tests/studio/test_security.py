"""Who is answered: this page alone, on this machine or with the token; and what the answer tells browsers."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from mm2energon.studio import login
from mm2energon.studio.answers import Json, add_error_answers
from mm2energon.studio.login import Gate
from mm2energon.studio.security import MOST_BODY_BYTES, Guard
from mm2energon.studio.settings import Settings
from starlette.testclient import TestClient

TOKEN = "a-token-that-nobody-guesses"
OURS = {"X-Studio": "1"}


def client(*, token=None, host="127.0.0.1", base="http://127.0.0.1:8000", **more):
    settings = Settings(Path("d.json"), host=host, token=token, **more)
    app, gate = FastAPI(), Gate(token, settings.port)
    app.include_router(login.router(gate))
    add_error_answers(app)

    @app.api_route("/api/echo", methods=["GET", "POST", "PUT", "DELETE"])
    async def echo(request: Request):
        return Json({"bytes": len(await request.body())})

    @app.put("/api/chat/videos")
    async def upload(request: Request):
        return Json({"bytes": sum([len(piece) async for piece in request.stream()])})

    @app.get("/api/crash")
    async def crash():
        raise RuntimeError("the secret of /home/anna")

    @app.get("/page")
    async def page():
        return Json({})

    app.add_middleware(Guard, settings=settings, gate=gate)
    return TestClient(app, base_url=base)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST", "127.0.0.1"])
def test_names_of_this_machine_are_answered(host):
    assert client().get("/api/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.nip.io", "localhost.evil.example", "192.168.0.9", "a@127.0.0.1"]
    + ["127.0.0.1:8000, evil.example", "127.0.0.1:evil.example", "[::1", "[::1]evil.example", "127.0.0.1."],
)
@pytest.mark.parametrize("path", ["/api/echo", "/page", "/"])
def test_a_name_that_was_bound_to_this_machine_by_others_is_refused(host, path):
    assert client().get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8000"},
        {**OURS, "Origin": "http://evil.example"},
        {**OURS, "Origin": "http://127.0.0.1:8001"},
        {**OURS, "Origin": "null"},
        {**OURS, "Origin": "http://["},
        {**OURS, "Origin": ""},
        {**OURS, "Sec-Fetch-Site": "cross-site"},
        {**OURS, "Sec-Fetch-Site": "same-site"},
        {**OURS, "Sec-Fetch-Site": "none"},
        {"X-Studio": "0"},
    ],
)  # fmt: skip
def test_what_changes_something_is_taken_from_the_page_alone(method, headers):
    answer = client().request(method, "/api/echo", headers=headers)
    assert answer.status_code == 403
    assert set(answer.json()["error"]) == {"message", "code"}


@pytest.mark.parametrize(
    "headers",
    [OURS, {**OURS, "Origin": "http://127.0.0.1:8000"}, {**OURS, "Sec-Fetch-Site": "same-origin"}]
    + [{**OURS, "Origin": "https://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}],
)
def test_the_page_and_programs_may_change_something(headers):
    assert client().post("/api/echo", headers=headers).status_code == 200


def test_a_proxy_may_ask_by_its_name_where_that_was_allowed():
    page = client(token=TOKEN, names=("studio.example",))
    bearer = {**OURS, "Authorization": f"Bearer {TOKEN}", "Host": "studio.example"}
    assert page.post("/api/echo", headers={**bearer, "Origin": "https://studio.example"}).status_code == 200
    behind = {**bearer, "Host": "127.0.0.1:8000", "Origin": "https://studio.example"}  # which does not pass on the name
    assert page.post("/api/echo", headers=behind).status_code == 200
    assert page.post("/api/echo", headers={**bearer, "Origin": "https://evil.example"}).status_code == 403
    assert page.get("/api/echo", headers={**bearer, "Host": "studio.example.evil"}).status_code == 403


def test_media_are_not_shown_in_pages_of_others():
    assert client().get("/api/echo", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client().get("/page", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link to the page


@pytest.mark.parametrize("path", ["/page", "/api/echo", "/api/none", "/none", "/api/crash"])
def test_every_answer_has_the_headers_that_browsers_go_by(path):
    headers = client().get(path).headers
    policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'" and "unsafe" not in str(policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


def test_an_answer_of_the_api_is_kept_by_no_cache():
    assert client().get("/api/echo").headers["cache-control"] == "no-store"


def test_a_fault_of_ours_is_told_by_an_id_and_logged_with_its_trace(caplog):
    with caplog.at_level(logging.ERROR):
        answer = client().get("/api/crash")
    error = answer.json()["error"]
    assert answer.status_code == 500 and error["code"] == "crash"
    assert "anna" not in answer.text and "Traceback" not in answer.text
    name = error["message"].split()[-1]
    assert any(name in record.getMessage() and record.exc_info for record in caplog.records)


def test_long_bodies_are_refused_by_their_length_and_where_they_have_none():
    long = bytes(MOST_BODY_BYTES + 1)
    with client() as page:
        assert page.post("/api/echo", content=long, headers=OURS).status_code == 413
        answer = page.post("/api/echo", content=iter([long[:100], long]), headers=OURS)
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "too-large"
        assert page.post("/api/echo", content=long[1:], headers=OURS).json() == {"bytes": MOST_BODY_BYTES}


def test_an_upload_may_be_as_long_as_was_said_and_no_longer():
    with client(max_upload_bytes=10) as page:
        assert page.put("/api/chat/videos", content=bytes(10), headers=OURS).json() == {"bytes": 10}
        assert page.put("/api/chat/videos", content=bytes(11), headers=OURS).status_code == 413
        assert page.put("/api/chat/videos", content=iter([bytes(6)] * 2), headers=OURS).status_code == 413


def test_who_begins_a_request_and_falls_silent_is_given_up(monkeypatch):
    monkeypatch.setattr("mm2energon.studio.security._STALL_SECONDS", 0.05)
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8000"), (b"x-studio", b"1"), (b"content-length", b"9")]
    scope = {"type": "http", "method": "POST", "path": "/api/login", "headers": headers, "query_string": b""}
    asyncio.run(client().app({**scope, "scheme": "http", "raw_path": b"", "root_path": ""}, receive, send))
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["error"]["code"] == "too-slow"


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "٣"])
def test_a_length_that_is_no_number_is_refused(length):
    answer = client().request("POST", "/api/echo", headers={**OURS, "Content-Length": length.encode()})
    assert answer.status_code == 400


def guarded(**more):
    return client(token=TOKEN, host="0.0.0.0", base="http://studio.example:8000", **more)


def test_without_the_token_nothing_of_the_data_is_told():
    page = guarded()
    for path in ("/api/echo", "/api/session", "/api/crash", "/api/openapi.json", "/api/none"):
        assert page.get(path).status_code == 401
    assert page.get("/page").status_code == 200  # the page itself, which asks for the token


def test_the_token_gives_a_cookie_that_scripts_and_other_sites_do_not_get():
    page = guarded()
    answer = page.post("/api/login", json={"token": TOKEN}, headers=OURS)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert TOKEN not in cookie
    assert page.get("/api/echo").status_code == 200
    page.post("/api/logout", headers=OURS)
    assert page.get("/api/echo").status_code == 401


def test_programs_may_bring_the_token_itself():
    page = guarded()
    assert page.get("/api/echo", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert page.get("/api/echo", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    assert page.get("/api/echo", headers={"Authorization": TOKEN}).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x=y", "{name}=", "{name}=abc", "{name}=\x01", ";;=;", "{name}=" + "é" * 9])
def test_a_cookie_of_ones_own_lets_nobody_in(cookie):
    text = cookie.format(name=Gate(TOKEN, 8000).cookie)
    assert guarded().get("/api/echo", headers={"Cookie": text.encode("latin-1")}).status_code == 401


def test_cookies_of_other_servers_of_this_host_keep_nobody_out():
    ours = f"{Gate(TOKEN, 8000).cookie}={Gate(TOKEN, 8000).pass_}"
    for cookie in ('a b=c d; [x]=y; {"j": 1}; ' + ours, ours + "; =;;é", f'x="; {ours}'):
        assert guarded().get("/api/echo", headers={"Cookie": cookie.encode("latin-1")}).status_code == 200


def test_wrong_tokens_are_slow_and_then_nobody_is_asked_any_more(monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("mm2energon.studio.login.anyio.sleep", sleep)
    page = guarded()
    tries = [page.post("/api/login", json={"token": f"wrong {n}"}, headers=OURS).status_code for n in range(12)]
    assert tries == [401] * 10 + [429] * 2
    assert waited == [login.SLOW_SECONDS] * 10
    assert page.post("/api/login", json={"token": TOKEN}, headers=OURS).status_code == 429
    assert page.get("/api/echo", headers={"Authorization": "Bearer wrong"}).status_code == 429


def test_a_cookie_is_good_for_the_same_token_alone():
    old, new = Gate(TOKEN, 8000), Gate(TOKEN + "2", 8000)
    assert old.pass_ == Gate(TOKEN, 8000).pass_ != new.pass_
    assert old.cookie != Gate(TOKEN, 8001).cookie


def test_login_wants_the_header_of_the_page_too():
    assert guarded().post("/api/login", json={"token": TOKEN}).status_code == 403


def test_json_holds_what_utf8_and_json_cannot():
    odd = {"half": "\ud800", "nan": float("nan"), "list": [float("inf")], "big": 10**30, 1: "key"}
    assert json.loads(Json(odd).body) == {"half": "\ud800", "nan": None, "list": [None], "big": 10**30, "1": "key"}


def test_who_goes_amid_an_upload_leaves_no_trace_in_the_log(caplog):
    messages = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"host", b"127.0.0.1:8000"), (b"x-studio", b"1")]
    scope = {"type": "http", "method": "PUT", "path": "/api/chat/videos", "headers": headers, "query_string": b""}

    async def receive():
        return messages.pop(0)

    async def send(_message):
        raise AssertionError("nobody is there")

    app = client().app
    with caplog.at_level(logging.DEBUG):
        asyncio.run(app({**scope, "scheme": "http", "raw_path": b"", "root_path": ""}, receive, send))
    assert caplog.records == [] or all("error" not in record.getMessage() for record in caplog.records)
