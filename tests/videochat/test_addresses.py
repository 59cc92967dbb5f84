"""Which URLs and which addresses a video may come from."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat import addresses
from mm2energon.videochat.addresses import RefusedAddressError, is_public, open_connection, parse_url

CLOSED = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "localhost", "", "127.1", "0x7f.1", "2130706433",
]  # fmt: skip
OPEN = [
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
    "192.167.255.255", "198.17.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2400:cb00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
def test_what_is_no_public_address_is_closed(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_open(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "target"),
    [
        ("https://example.com/a/b.mp4?x=1&y=2#t", "https", "example.com", 443, "/a/b.mp4?x=1&y=2"),
        ("  http://Example.COM:8080 ", "http", "example.com", 8080, "/"),
        ("HTTP://[2606:4700::1]/v", "http", "2606:4700::1", 80, "/v"),
        ("https://bücher.example/fußball%20é.mp4", "https", "xn--bcher-kva.example", 443, "/fu%C3%9Fball%20%C3%A9.mp4"),
    ],
)
def test_a_url_is_taken_apart(url: str, scheme: str, host: str, port: int, target: str) -> None:
    found = parse_url(url)
    assert (found.scheme, found.host, found.port, found.target) == (scheme, host, port, target)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "its scheme is missing"),
        ("example.com/a.mp4", "its scheme is missing"),
        ("file:///etc/passwd", "its scheme is file"),
        ("ftp://example.com/a.mp4", "its scheme is ftp"),
        ("gopher://example.com/", "its scheme is gopher"),
        ("data:video/mp4;base64,AAAA", "its scheme is data"),
        ("javascript:alert(1)", "its scheme is javascript"),
        ("http://", "names no host"),
        ("http:///a.mp4", "names no host"),
        ("https://user:secret@example.com/a", "a name or a password"),
        ("https://@example.com/a", "a name or a password"),
        ("http://example.com:22/", "its port is 22"),
        ("http://example.com:6379/", "its port is 6379"),
        ("http://example.com:0/", "its port is 0"),
        ("http://example.com:99999/", "cannot be read"),
        ("http://example.com:eighty/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://[fe80::1%25lo]/", "names no host"),
        ("http://example.com\\@127.0.0.1/", "characters that no URL has"),
        ("http://exa mple.com/", "characters that no URL has"),
        ("http://example.com/\r\nHost: x", "characters that no URL has"),
        ("http://example.com/\0", "characters that no URL has"),
        ("http://" + "é" * 200 + ".com/", "its host"),
        ("http://" + "a" * 64 + ".com/", "its host"),
        ("http://a..example.com/", "its host"),
        ("http://example.com/" + "a" * 9000, "characters"),
    ],
)
def test_what_is_no_url_of_a_video_is_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        parse_url(url)
    assert "secret" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Something that listens on loopback, and takes note of nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()
        yield server
        stopped.set()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0"])
def test_names_and_spellings_of_this_machine_are_refused_by_the_address_they_lead_to(host: str) -> None:
    with pytest.raises(RefusedAddressError, match="no public address"):
        open_connection(host, 80, seconds=5)


def test_a_public_address_of_this_machine_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    for host in ("127.0.0.1", "127.9.9.9"):  # any of them can be bound to, as its own public one
        with pytest.raises(RefusedAddressError):
            open_connection(host, 80, seconds=5)
    assert addresses.is_ours("127.0.0.1")
    assert not any(map(addresses.is_ours, ["192.0.2.7", "8.8.8.8", "2606:4700::1111"]))


def answers(monkeypatch: pytest.MonkeyPatch, *lists: list[str]) -> list[str]:
    """Let names be answered by these lists of addresses, one after another; the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_args: object, **_more: object) -> list[object]:
        asked.append(host)
        found = lists[min(len(asked), len(lists)) - 1]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_asked_for_once_and_its_answer_is_what_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    asked = answers(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    with open_connection("rebinding.example", port, seconds=5, allowed={("127.0.0.1", port)}) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    assert asked == ["rebinding.example"]


def test_private_addresses_among_the_answers_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    answers(monkeypatch, ["10.0.0.1", "::1", "127.0.0.1"])
    with open_connection("mixed.example", port, seconds=5, allowed={("127.0.0.1", port)}) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    with pytest.raises(RefusedAddressError, match=r"mixed\.example:80 \(10\.0\.0\.1, ::1, 127\.0\.0\.1\)"):
        open_connection("mixed.example", 80, seconds=5)


GUARDED = """
import sys
sys.path[:0] = {path!r}
from mm2energon.videochat.addresses import guard_this_process
guard_this_process(allowed={{("127.0.0.1", {port})}})
import os, socket, subprocess, http.client, urllib.request
def tried(act):
    try:
        act()
    except BaseException as error:
        print(type(error).__name__, "|", error)
    else:
        print("done")
tried(lambda: socket.create_connection(("127.0.0.1", {port}), timeout=5).close())
tried(lambda: socket.create_connection(("127.0.0.1", {other}), timeout=5))
tried(lambda: socket.socket().connect_ex(("localhost", {port})))
tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)))
tried(lambda: socket.socket(socket.AF_UNIX).connect("/run/docker.sock"))
tried(lambda: urllib.request.urlopen("http://169.254.169.254/latest/meta-data", timeout=5))
tried(lambda: http.client.HTTPConnection("::1", 80, timeout=5).request("GET", "/"))
tried(lambda: subprocess.run(["true"]))
tried(lambda: os.system("true"))
tried(lambda: os.posix_spawn("/bin/true", ["true"], {{}}))
"""


def test_a_guarded_process_connects_nowhere_else_and_starts_nothing(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        code = GUARDED.format(path=sys.path, port=listener.getsockname()[1], other=other.getsockname()[1])
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    told = ran.stdout.splitlines()
    assert told[0] == "done", ran.stderr
    assert len(told) == 10
    assert [
        line for line in told[1:] if not line.startswith(("RefusedAddressError", "URLError", "PermissionError"))
    ] == []
    assert "169.254.169.254 is no public address" in told[5]
