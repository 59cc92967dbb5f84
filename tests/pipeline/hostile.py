"""Archives that no honest program writes, put together byte by byte."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from mm2energon.pipeline.archives import Unpacked, unpack_all

BLOCK = 512
END_OF_TAR = bytes(2 * BLOCK)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def tar_header(
    name: bytes, size: int | bytes, kind: bytes = b"0", *, link: bytes = b"", magic: bytes = b"ustar\x0000", **at: bytes
) -> bytes:
    """A header of a tar, with a right checksum.

    Args:
        size: as a number, or as the field is to read.
        at: further bytes by where they stand, as `b345=b"..."`.
    """
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + bytes(1).join([b"0" * 7] * 2) + bytes(1)
    block[124 : 124 + len(field)] = field
    block[136:156] = b"00000000000\0" + b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257 : 257 + len(magic)] = magic
    for place, data in at.items():
        begin = int(place[1:])
        block[begin : begin + len(data)] = data
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tar_file(name: bytes, data: bytes, kind: bytes = b"0", **fields: bytes) -> bytes:
    return tar_header(name, len(data), kind, **fields) + padded(data)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """A header of pax with these records."""
    return tar_file(b"pax", b"".join(map(pax_record, records)), kind)


def pax_record(record: tuple[bytes, bytes]) -> bytes:
    body = b" " + record[0] + b"=" + record[1] + b"\n"
    length = len(body)
    while length != len(b"%d" % length) + len(body):
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


@dataclass
class ZipMember:
    """One member of a zip, as it is, and as its two headers say it is."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    mode: int = 0o100644
    extra: bytes = b""
    #: What the directory says, where that is another thing.
    in_directory: tuple[tuple[str, object], ...] = ()
    #: What its own header says, where that is another thing.
    in_header: tuple[tuple[str, object], ...] = ()
    packed: bytes | None = None


def zip_bytes(
    *members: ZipMember, end: dict[str, int] | None = None, comment: bytes = b"", front: bytes = b""
) -> bytes:
    """A zip of members; `end` changes what its last header says."""
    body, directory = front, b""
    for member in members:
        deflated = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = member.packed
        if packed is None:
            packed = deflated.compress(member.data) + deflated.flush() if member.method == 8 else member.data
        about = {
            "name": member.name,
            "flags": member.flags,
            "method": member.method,
            "crc": zlib.crc32(member.data),
            "packed": len(packed),
            "size": len(member.data),
            "offset": len(body),
            "extra": member.extra,
        }
        said = {**about, **dict(member.in_directory)}
        own = {**about, "extra": b"", **dict(member.in_header)}
        body += struct.pack(
            "<4s5H3I2H", b"PK\3\4", 20, own["flags"], own["method"], 0, 33, own["crc"], own["packed"], own["size"],
            len(own["name"]), len(own["extra"]),
        ) + own["name"] + own["extra"] + packed  # fmt: skip
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 0x314, 20, said["flags"], said["method"], 0, 33, said["crc"], said["packed"],
            said["size"], len(said["name"]), len(said["extra"]), 0, 0, 0, member.mode << 16, said["offset"],
        ) + said["name"] + said["extra"]  # fmt: skip
    last = {"here": len(members), "count": len(members), "length": len(directory), "begin": len(body), **(end or {})}
    tail = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, last["here"], last["count"], last["length"], last["begin"], len(comment)
    )
    return body + directory + tail + comment


def lay_ground(folder: Path) -> Path:
    """A root with a split, among things that must stay as they are: a tripwire."""
    (folder / "outside").mkdir()
    (folder / "outside/secret.mp4").write_bytes(b"not yours")
    (folder / "root/split").mkdir(parents=True)
    return folder


def seen(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: content of files, kind of the rest."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = path.read_bytes() if is_file else oct(path.lstat().st_mode)
    return found


def unpacked(ground: Path, data: bytes, name: str = "v.tar") -> tuple[Unpacked, dict[str, bytes]]:
    """The report of an archive, and the files that came out of it; nothing else may have changed."""
    outside = seen(ground / "outside")
    (ground / "root/split" / name).write_bytes(data)
    (report,) = unpack_all(ground / "root")
    assert seen(ground / "outside") == outside
    assert {path.name for path in ground.iterdir()} == {"outside", "root"}
    assert {path.name for path in (ground / "root").iterdir()} == {"split"}
    inside = seen(ground / "root/split")
    assert all(isinstance(kind, bytes) or kind.startswith("0o4") for kind in inside.values()), "files and folders alone"
    files = {key: kind for key, kind in inside.items() if isinstance(kind, bytes) and not key.startswith(".mm2energon")}
    del files[name]
    assert not any("mm2energon-tmp" in key for key in files)
    return report, files
