"""Bytes to begin with, for each reader: sound ones for the most part."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mm2energon.shards.index import ShardIndex, pack_index
from mm2energon.shards.pickles import dump_images, dump_videos
from mm2energon.shards.writer import ShardWriter
from PIL import Image

_CHAT = [{"from": "human", "value": "<image>What is it?"}, {"from": "gpt", "value": "A picture."}]


def of_entries() -> Iterator[bytes]:
    values = [
        {"id": 1, "image": "a.jpg", "conversations": _CHAT},
        {"id": "ä", "videos": ["v.mp4"], "conversations": [{"from": "human", "value": "<video>"}, _CHAT[1]]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "1"}]},
                {"role": "assistant", "content": ""},
            ]
        },
        [1, -2.5e300, 10**30, True, None, "\ud800", "\\", {"a": [[]]}],
    ]
    yield json.dumps(values).encode()
    yield "\n".join(map(json.dumps, values)).encode()
    yield json.dumps(values, indent=1).encode()
    yield b"\xef\xbb\xbf[{}, {'a': NaN}, {\"b\": 1},]"


def of_values() -> Iterator[bytes]:
    yield from (json.dumps(value).encode() for seed in list(of_entries())[:1] for value in json.loads(seed))


def of_pickles() -> Iterator[bytes]:
    yield b"".join(dump_images([b"a" * 300, b"", b"b"]))
    yield b"".join(dump_videos([[b"a", b"b"], []]))
    for protocol in range(6):
        yield pickle.dumps([b"a", b"a", [b"c"]], protocol)
    yield pickle.dumps(Path("a"))


def of_pictures() -> Iterator[bytes]:
    image = Image.fromarray(np.arange(20 * 12 * 3, dtype=np.uint8).reshape(12, 20, 3))
    for kind, options in (
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("BMP", {}),
        ("GIF", {}),
    ):
        file = io.BytesIO()
        image.save(file, kind, **options)
        yield file.getvalue()
    for mode in ("L", "P", "1", "RGBA", "I;16"):
        file = io.BytesIO()
        image.convert("L").convert(mode).save(file, "PNG")
        yield file.getvalue()


def of_packets() -> Iterator[bytes]:
    yield bytes.fromhex("81044c000a0b00000024c4ffdf003288100012000a0b00000024c4ffdf0032 10".replace(" ", "")) * 2
    yield b"\0\0\0\1\x67\x42\0\x1e\0\0\0\1\x68\xce\0\0\1\x65\x88\x80\0\0\1\x41\x9a"
    yield b"\4\0\0\0\2\x67\x42\0\0\0\2\x41\x9a" + b"\0\0\1\x40\1\0\0\1\x26\1\xaf"
    yield b"\xff\xd8\xff\xdb\0\x43\xff\xc4\0\x1f"


def of_indexes() -> Iterator[bytes]:
    yield bytes(24)
    yield pack_index(ShardIndex([], 0, 0))
    yield b'[1024,10240,[["a",0,1024,[["json",512,2]]]]]'


def of_tars() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train-shard-000000.tar"
        with ShardWriter(path) as shard:
            shard.write("00000000-a", {"jpgs": b"x", "json": b"{}"})
        yield path.read_bytes()
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=form) as tar:
            for name in ("a.mp4", "n" * 60 + "/" + "n" * 60 + ".mp4", "../c.mp4"):
                member = tarfile.TarInfo(name)
                member.size = 3
                tar.addfile(member, io.BytesIO(b"abc"))
            link = tarfile.TarInfo("link.mp4")
            link.type, link.linkname = tarfile.SYMTYPE, "../.."
            tar.addfile(link)
        yield file.getvalue()[: 10 * 512]


def of_zips() -> Iterator[bytes]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as container:
            for name in ("a.mp4", "b/c.mp4", "../d.mp4"):
                container.writestr(name, "abc" * 9)
        yield file.getvalue()


def of_sidecars() -> Iterator[bytes]:
    own = {"fps": "2.0", "source": "v.mp4", "times": [0.0], "options": {}, "version": 1, "frame_bytes": [1]}
    yield json.dumps(own | {"source_bytes": 1, "source_mtime_ns": 1, "width": 2, "height": 2}).encode()
    yield b'{"fps": "30000/1001"}'
    yield b"3 4"


def of_metadata() -> Iterator[bytes]:
    yield b'{"shard_counts": {"a.tar": 1}}\n---\nsplit_parts: {train: [a.tar]}\nexclude: []\n---\n{"shards": {}}'


def of_reviewed() -> Iterator[bytes]:
    yield from of_entries()
    header = b"index,video_file_path,question,category,answer,status\n"
    yield header + b'1,v.mp4,"What,\n""is"" it?",c,A cat.,accepted\n2,v.mp4,"open,c,a,\n3,v.mp4,q,c,a,\n'
    yield b"\xef\xbb\xbf" + header.replace(b",", b";").replace(b"\n", b"\r\n") + b"1;v;q;c;a;;;x\r\n\r\n;;\xe9"


def of_journals() -> Iterator[bytes]:
    entries = b'"entries":["0000000000000001.0","0000000000000001.1"]'
    lines = [b'{"version":1,"reviewer":"a","do":"%s",%s}\n' % (do, entries) for do in (b"accept", b"undo", b"redo")]
    yield b"".join(lines)
    yield lines[0] + b'{"do":"edit","sample":{"conversations":[]},%s}\n{"do":"settle-reject",%s' % (entries, entries)
    yield b'{"do":"assign","reviewers":["a","b"],"to":[0,1],%s}\n' % entries
    yield b'{"do":"moved","became":["0000000000000002.0","0000000000000001.0"],%s}\n' % entries + lines[0]
    packed = b'"entries":{"count":2,"digests":"AQAAAAAAAAABAAAAAAAAAA==","occurrences":"AAAAAAEAAAA="}'
    yield b'{"do":"accept","source":"a.csv",%s}\n{"do":"assign","reviewers":["a","b"],"to":"AAABAA==",%s}\n' % (
        packed,
        packed,
    )


def of_videos() -> Iterator[bytes]:
    image = Image.new("P", (4, 4))
    file = io.BytesIO()
    image.save(file, "GIF", save_all=True, append_images=[image])
    yield file.getvalue()
    yield b"RIFF\x24\0\0\0AVI LIST\4\0\0\0hdrlJUNK\4\0\0\0abcd"
    yield bytes.fromhex("1a45dfa3a3428681014282846d6b76611853806701000000000000ff") + bytes(30)
    yield b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c" + bytes(80)
    yield (b"\x47" + bytes(187)) * 18
    yield b"\0\0\1\xba\x44" + bytes(9) + b"\0\0\1\xe0\0\4abcd\0\0\1\xb9"
    yield b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"\x09\0\0\6\0\0\0\0\0\0\0\x17\1\0\0\0a\0\0\0\x11" * 2
    yield b"OggS\0\2" + bytes(12) + b"\1\0\0\0\0\0\0\0\1\4abcd"
    yield b"\0\0\0\x10moov\0\0\0\x08mvex\0\0\0\x10moof\0\0\0\x08mfhd\0\0\0\x0cmdatabcd"
    yield b"RIFF\x48\0\0\0AVI LIST\x0c\0\0\0hdrlstrhabcdLIST\x10\0\0\0movi00dc\4\0\0\0abcdidx1\0\0\0\0"
    yield bytes.fromhex("1a45dfa380 18538067a2 1654ae6b86 ae84d78101ec80 1f43b67590 bf84 00000000 e78100 a384 81000080")
