"""Files go out whole or by range, as RFC 9110 says, so that a browser seeks in a video of any length."""

import pytest
from fastapi import FastAPI, Request
from mm2energon.studio import sending
from mm2energon.studio.sending import CutOffError, Sent, file_tag, send
from starlette.testclient import TestClient

DATA = bytes(range(256)) * 4000


@pytest.fixture
def page(tmp_path):
    path, app = tmp_path / "a.bin", FastAPI()
    path.write_bytes(DATA)

    @app.head("/file")
    @app.get("/file")
    def file(request: Request):
        opened = path.open("rb")
        return send(request, Sent(opened, path.stat().st_size, "video/mp4", file_tag(opened), 'né "w"\n\ud800;.mp4'))

    client = TestClient(app)
    client.path = path
    return client


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [("0-0", 0, 1), ("0-", 0, None), ("5-9", 5, 10), ("-7", -7, None), ("1000000-", 1000000, None)]
    + [("10-99999999999", 10, None), ("-99999999999", 0, None), (" 3-4 ", 3, 5), ("-" + "9" * 99, 0, None)],
)
def test_a_range_is_answered_with_these_bytes(page, asked, begin, end):
    answer = page.get("/file", headers={"Range": f"bytes={asked}"})
    wanted = DATA[begin:end]
    first = begin if begin >= 0 else len(DATA) + begin
    assert (answer.status_code, answer.content) == (206, wanted)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(len(wanted))


@pytest.mark.parametrize("asked", ["1024000-", "9999999-99999999", "-0", "9" * 99 + "-"])
def test_a_range_with_nothing_in_it_cannot_be_answered(page, asked):
    answer = page.get("/file", headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=-", "bytes=a-b", "lines=0-1", "bytes 0-1", "bytes=1", "bytes=7-5"]
)
def test_what_is_no_single_range_is_answered_with_all(page, asked):
    answer = page.get("/file", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_range_of_another_content_is_answered_with_all(page):
    tag = page.head("/file").headers["etag"]
    part = {"Range": "bytes=0-9"}
    assert page.get("/file", headers={**part, "If-Range": tag}).status_code == 206
    page.path.write_bytes(DATA + b"more")
    changed = page.get("/file", headers={**part, "If-Range": tag})
    assert (changed.status_code, changed.content) == (200, DATA + b"more")


def test_what_has_not_changed_is_not_sent_again(page):
    tag = page.get("/file").headers["etag"]
    for listed in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = page.get("/file", headers={"If-None-Match": listed})
        assert (answer.status_code, answer.content) == (304, b"")
    assert page.get("/file", headers={"If-None-Match": '"x"'}).status_code == 200


def test_head_tells_the_same_without_the_bytes(page):
    whole, part = page.head("/file"), page.head("/file", headers={"Range": "bytes=0-9"})
    assert (whole.status_code, whole.content, whole.headers["content-length"]) == (200, b"", str(len(DATA)))
    assert (part.status_code, part.content, part.headers["content-length"]) == (206, b"", "10")


def test_of_a_file_that_is_cut_off_meanwhile_nobody_waits_for_the_rest(page, tmp_path):
    promised = Sent(page.path.open("rb"), len(DATA) + 1, "video/mp4", "tag")
    chunks = sending._chunks(promised.file, 0, promised.size)
    got = b""
    with pytest.raises(CutOffError, match="1 bytes shorter"):
        for chunk in chunks:
            got += chunk
    assert got == DATA and promised.file.closed


def test_an_empty_file_is_sent(page):
    page.path.write_bytes(b"")
    assert page.get("/file").content == b""
    assert page.get("/file", headers={"Range": "bytes=0-"}).status_code == 416


def test_a_name_is_no_part_of_the_headers_but_in_ascii(page):
    told = page.head("/file").headers["content-disposition"]
    assert told == "inline; filename*=UTF-8''n%C3%A9%20%22w%22%0A%3F%3B.mp4"


def test_a_medium_that_is_opened_by_itself_may_do_nothing(page):
    assert "sandbox" in page.get("/file").headers["content-security-policy"]
