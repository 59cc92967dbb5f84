"""Addresses: which URLs a video may be asked for, and which machines may be connected to for it.

A server that fetches what a page asks for can be made to fetch from where only it can reach: itself, its network, the
service that tells a cloud machine its secrets. So a connection is judged by the very address that it goes to, whatever
name led there, in this process and for its whole life: no redirect and no second answer of the DNS gets around it.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mm2energon.errors import InputError

#: An address and a port.
Endpoint = tuple[str, int]

#: Ports that web servers are found at; any other may be some service that takes an HTTP request for its own commands.
PORTS = frozenset({80, 443, 8080, 8443})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 8192

#: Of IPv4 all but these is public: IANA's special-purpose registry (RFC 6890), multicast, what is reserved, and
#: the address at which Azure serves its virtual machines.
_CLOSED_4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",  # link-local; 169.254.169.254 tells cloud machines their secrets
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
#: Of IPv6 nothing but this is public (RFC 4291), without what has an IPv4 address inside or is special. IPv4-mapped
#: addresses (::ffff:0:0/96) and NAT64 (64:ff9b::/96) lie outside of it.
_OPEN_6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols, with Teredo
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
]

#: Of documents alone (RFC 5737, RFC 3849): of no machine, of version 4 and 6.
_NOBODYS = ("192.0.2.1", "2001:db8::1")

#: What only the C library, or another process, would do behind the guard's back.
_STARTS_PROCESS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn")
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")


class RefusedAddressError(OSError):
    """A connection was refused because of where it goes; an OSError, as network libraries expect of `connect`."""

    def __init__(self, where: str) -> None:
        super().__init__(
            errno.EACCES,
            f"{where} is no public address of a web server; videos are fetched neither from this machine, nor from "
            f"private networks, nor at other ports than {', '.join(map(str, sorted(PORTS)))}",
        )


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    #: Path and query, as they are sent.
    target: str

    @property
    def host_header(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.target}"


def is_public(address: str) -> bool:
    """Whether an address, in numbers, is one that anybody can reach; False for what is none."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(number, ipaddress.IPv4Address):
        return not any(number in network for network in _CLOSED_4)
    return number in _OPEN_6 and not any(number in network for network in _CLOSED_6)


def is_ours(address: str) -> bool:
    """Whether an address, in numbers, is one of this machine: a way to what it serves to itself alone.

    Nobody else's can be bound to, but on a machine that is set to bind to any.
    """
    return _can_bind(address) and not _can_bind(_NOBODYS[":" in address])


def _can_bind(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def parse_url(text: str, *, allowed: Collection[Endpoint] = ()) -> WebAddress:
    """The parts of a URL that a video may be asked for.

    Args:
        allowed: endpoints that are open as well, for tests.

    Raises:
        InputError: it is none: another scheme, a name and password inside, another port, characters that no URL has.
    """
    text = text.strip()
    if len(text) > _LONGEST_URL:
        raise _no_url(text, f"it has {len(text)} characters", f"at most {_LONGEST_URL} were expected")
    if not text.isprintable() or any(char in text for char in ' \\"<>^`{|}'):
        raise _no_url(text, "it holds characters that no URL has", "percent-encode them")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise _no_url(text, f"it cannot be read ({error})", "check its host and port") from error
    if scheme not in _DEFAULT_PORTS:
        raise _no_url(text, f"its scheme is {scheme or 'missing'}", "http:// or https:// was expected")
    if parts.username is not None or parts.password is not None:
        raise _no_url(f"{scheme}://...", "it holds a name or a password", "leave out all before the @")
    if not host or "%" in host:
        raise _no_url(text, "it names no host", "give it as https://host/path")
    if port is None:
        port = _DEFAULT_PORTS[scheme]
    host = _ascii(text, host)
    if port not in PORTS and (host, port) not in allowed:
        raise _no_url(text, f"its port is {port}", f"one of {', '.join(map(str, sorted(PORTS)))} was expected")
    return WebAddress(scheme, host, port, _target(parts.path, parts.query))


def open_connection(host: str, port: int, *, seconds: float, allowed: Collection[Endpoint] = ()) -> socket.socket:
    """A socket that is connected to a public address of `host`: the name is asked for once, and the answer is used.

    Args:
        seconds: for each address; and for whatever is sent and received afterwards, each time.
        allowed: endpoints that are open as well, for tests.

    Raises:
        OSError: nobody answers; a RefusedAddressError where no address of it is public.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in answers))
    fault: OSError = RefusedAddressError(f"{host}:{port} ({', '.join(number for _, number in numbers) or 'nothing'})")
    for family, number in numbers:
        if not _is_open(number, port, allowed):
            continue
        try:
            return _connected(family, (number, port), seconds)
        except OSError as error:
            fault = error
    raise fault


def guard_this_process(*, allowed: Collection[Endpoint] = ()) -> None:
    """Refuse, until this process ends, each connection of Python's that goes elsewhere, and each process it starts.

    For libraries that connect by themselves. The hook hears of an address where the system is called with it, below
    all that a library may do or a page may talk it into; it can be removed by nobody.

    Args:
        allowed: endpoints that are open as well, for tests.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _SENDS:
            _require_open(arguments[-1], allowed)
        elif event in _STARTS_PROCESS:
            raise PermissionError(errno.EPERM, f"{event}: what fetches videos starts no other program")

    sys.addaudithook(hook)


def _require_open(place: Any, allowed: Collection[Endpoint]) -> None:
    if place is None:  # sent to where the socket is connected
        return
    if not isinstance(place, tuple) or not _is_open(str(place[0]), place[1], allowed):
        raise RefusedAddressError(str(place[0] if isinstance(place, tuple) else place))


def _is_open(number: str, port: int, allowed: Collection[Endpoint]) -> bool:
    return (number, port) in allowed or (port in PORTS and is_public(number) and not is_ours(number))


def _connected(family: int, place: Endpoint, seconds: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection


def _ascii(text: str, host: str) -> str:
    """The host as it is asked for: names of other alphabets in their ASCII form; no part is empty, or too long."""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _no_url(text, f"its host {host!r} is none ({error})", "check it") from error


def _target(path: str, query: str) -> str:
    """Path and query in ASCII, percent-encoded as browsers do."""
    from urllib.parse import quote

    target = (path or "/") + (f"?{query}" if query else "")
    return quote(target, safe="/?&=%+:;,@!$'()*~-._[]")


def _no_url(text: str, found: str, expected: str) -> InputError:
    shown = text if len(text) <= 200 else text[:200] + "..."  # noqa: PLR2004 - a line or two
    return InputError(f"{shown!r}: {found}; {expected}")


def uses_proxy() -> str | None:
    """The proxy that the environment names, which is not used: nobody could tell where it connects to."""
    return next(
        (os.environ[name] for name in ("https_proxy", "HTTPS_PROXY", "http_proxy") if os.environ.get(name)), None
    )
