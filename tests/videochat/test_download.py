"""A video is fetched from a URL: whole, within limits, from nowhere but where it may come from."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.apart import CancelledError
from mm2energon.videochat.download import Downloaded, DownloadLimits, Fetch, download
from mm2energon.videochat.fetch_file import IsPageError, fetch

from videochat.web import Web, endless, give, redirect, serving, stalling

VIDEO = bytes(range(256)) * 1000
LIMITS = DownloadLimits(bytes=1 << 20, seconds=60, stall_seconds=5)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving({"/v.mp4": give(VIDEO)}) as served:
        yield served


def fetched(web: Web, path: str, folder: Path, limits: DownloadLimits = LIMITS) -> Downloaded:
    """Fetch in this process, which has no guard of its own: each connection is judged where it is made."""
    return fetch(Fetch(web.url(path), folder, limits, frozenset(web.allowed)))


def test_a_file_comes_as_it_is_and_is_called_by_its_url(web: Web, tmp_path: Path) -> None:
    web.answers["/a/M%C3%BCll%20%2F..%2Fx.mp4?sig=1"] = give(VIDEO, Content_Type="text/html")
    found = fetched(web, "/a/M%C3%BCll%20%2F..%2Fx.mp4?sig=1", tmp_path)
    assert found.path.read_bytes() == VIDEO
    assert (found.bytes, found.name) == (len(VIDEO), "x.mp4")
    headers = web.asked[0][1]
    assert headers["Host"] == f"127.0.0.1:{web.endpoint[1]}"
    assert "Cookie" not in headers and "Authorization" not in headers


def test_a_packed_body_is_unpacked(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = give(gzip.compress(VIDEO), Content_Encoding="gzip")
    assert fetched(web, "/v.mp4", tmp_path).path.read_bytes() == VIDEO


def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(web: Web, tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert len(bomb) < LIMITS.bytes
    web.answers["/v.mp4"] = give(bomb, Content_Encoding="gzip")
    with pytest.raises(InputError, match="more than 1048576 bytes"):
        fetched(web, "/v.mp4", tmp_path)
    assert (tmp_path / "source").stat().st_size <= LIMITS.bytes


def test_a_packed_body_that_is_cut_off_is_no_video(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = give(gzip.compress(VIDEO)[:-20], Content_Encoding="gzip")
    with pytest.raises(InputError, match="broke before the end"):
        fetched(web, "/v.mp4", tmp_path)


def test_a_packing_that_is_not_known_is_refused(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = give(VIDEO, Content_Encoding="br")
    with pytest.raises(InputError, match="packed as 'br'"):
        fetched(web, "/v.mp4", tmp_path)


def test_bytes_are_counted_whatever_the_header_says(web: Web, tmp_path: Path) -> None:
    web.answers["/endless"] = endless(b"\0" * 65536)
    web.answers["/stated"] = give(b"\0", length=1 << 30)
    for path in ("/endless", "/stated"):
        with pytest.raises(InputError, match="more than 1048576 bytes"):
            fetched(web, path, tmp_path)


def test_a_connection_that_breaks_is_no_video(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = give(VIDEO[:1000], length=2000)
    with pytest.raises(InputError, match="broke after 1000 of 2000 bytes"):
        fetched(web, "/v.mp4", tmp_path)
    web.answers["/v.mp4"] = give(b"")
    with pytest.raises(InputError, match="sent nothing"):
        fetched(web, "/v.mp4", tmp_path)


def test_a_server_that_falls_silent_is_given_up(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = stalling(VIDEO)
    with pytest.raises(InputError, match=r"said nothing for 0\.5 s"):
        fetched(web, "/v.mp4", tmp_path, replace(LIMITS, stall_seconds=0.5))


def test_redirects_are_followed_to_the_limit(web: Web, tmp_path: Path) -> None:
    web.answers |= {f"/{n}": redirect(f"/{n - 1}") for n in range(1, 20)} | {"/0": redirect("v.mp4")}
    assert fetched(web, "/4", tmp_path).bytes == len(VIDEO)
    with pytest.raises(InputError, match="more than 5 redirects"):
        fetched(web, "/5", tmp_path)


def test_a_redirect_is_read_as_browsers_read_it(web: Web, tmp_path: Path) -> None:
    web.answers["/a"] = redirect("/Mein Fußball.mp4".encode().decode("latin-1"))
    web.answers["/Mein%20Fu%C3%9Fball.mp4"] = give(VIDEO)
    assert fetched(web, "/a", tmp_path).name == "Mein Fußball.mp4"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("http://169.254.169.254/latest/meta-data/", "no public address"),
        ("http://localhost/v.mp4", "no public address"),
        ("http://[::1]:80/v.mp4", "no public address"),
        ("http://[::ffff:127.0.0.1]/v.mp4", "no public address"),
        ("http://127.0.0.1:22/", "its port is 22"),
        ("file:///etc/passwd", "its scheme is file"),
        ("//user:secret@localhost/", "a name or a password"),
        ("https://", "names no host"),
    ],
)
def test_each_redirect_is_judged_as_the_first_url(web: Web, tmp_path: Path, place: str, said: str) -> None:
    web.answers["/v.mp4"] = redirect(place)
    with pytest.raises(InputError, match=said):
        fetched(web, "/v.mp4", tmp_path)


def test_what_the_server_answers_is_said(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answered 404 \(Not Found\)"):
        fetched(web, "/none.mp4", tmp_path)
    with pytest.raises(InputError, match="no such host"):
        fetch(Fetch("http://nowhere.invalid/v.mp4", tmp_path))


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>", b"  \n#EXTM3U\n", b"{}", b"<svg>" + b" " * 1000])
def test_text_is_a_page_whatever_the_server_calls_it(web: Web, tmp_path: Path, body: bytes) -> None:
    web.answers["/v.mp4"] = give(body, Content_Type="video/mp4")
    with pytest.raises(IsPageError, match="a page or a text"):
        fetched(web, "/v.mp4", tmp_path)


def certified(name: str, folder: Path) -> ssl.SSLContext:
    """What a server of that name needs; its certificate, which vouches for itself, is `certificate.pem`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(called, called, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_over_tls_the_certificate_is_that_of_the_name_though_an_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    context = certified("video.example", tmp_path)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: real("127.0.0.1", *rest, **more))
    with serving({"/v.mp4": give(VIDEO)}, tls=context) as web:
        allowed = frozenset({web.endpoint, *((name, web.endpoint[1]) for name in ("video.example", "other.example"))})
        job = Fetch(web.url("/v.mp4", "video.example"), tmp_path, LIMITS, allowed)
        with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED|certificate"):
            fetch(job)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert fetch(job).path.read_bytes() == VIDEO
        assert asked[-1] == "video.example"
        assert web.asked[-1][1]["Host"] == f"video.example:{web.endpoint[1]}"
        with pytest.raises(InputError, match="certificate"):
            fetch(replace(job, url=web.url("/v.mp4", "other.example")))


def test_a_proxy_of_the_environment_is_not_asked(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetched(web, "/v.mp4", tmp_path).bytes == len(VIDEO)
    with pytest.raises(InputError, match="a proxy of the environment is not used"):
        fetch(Fetch("http://nowhere.invalid/v.mp4", tmp_path))


def test_what_may_be_secret_in_a_url_is_in_no_message(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        fetched(web, "/none.mp4?token=geheim#geheim", tmp_path)
    assert "geheim" not in str(refused.value)


def test_a_process_of_its_own_fetches(web: Web, tmp_path: Path) -> None:
    found = download(web.url("/v.mp4"), tmp_path, limits=LIMITS, allowed=web.allowed)
    assert found.path.read_bytes() == VIDEO


def test_a_url_that_leads_home_is_refused(web: Web, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its port"):
        download(web.url("/v.mp4"), tmp_path, limits=LIMITS)
    with pytest.raises(InputError, match="no public address"):
        download("http://localhost/v.mp4", tmp_path, limits=LIMITS)
    assert web.asked == []


def test_a_download_ends_when_it_is_stopped_or_takes_too_long(web: Web, tmp_path: Path) -> None:
    web.answers["/v.mp4"] = stalling(VIDEO)
    stop = threading.Event()

    def told(done: float, _total: float | None) -> None:
        assert done in (0, len(VIDEO))
        if done:
            stop.set()

    patient = replace(LIMITS, stall_seconds=60)
    with pytest.raises(CancelledError):
        download(web.url("/v.mp4"), tmp_path, limits=patient, told=told, stop=stop, allowed=web.allowed)
    hurried = replace(patient, seconds=0.5)
    with pytest.raises(InputError, match=r"took longer than 0\.5 s"):
        download(web.url("/v.mp4"), tmp_path, limits=hurried, allowed=web.allowed)
