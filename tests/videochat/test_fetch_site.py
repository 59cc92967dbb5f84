"""Videos of pages, as yt-dlp finds them: the real one, on pages of a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from media import write_clip
from mm2energon.errors import DependencyError, InputError
from mm2energon.videochat import fetch_site
from mm2energon.videochat.download import Downloaded, DownloadLimits, Fetch, download
from mm2energon.videochat.fetch_file import IsPageError

from videochat.web import Web, endless, give, redirect, serving

LIMITS = DownloadLimits(bytes=1 << 20, seconds=120, stall_seconds=10)
PAGE = '<html><head><title>A red car</title></head><body><video src="{}"></video></body></html>'


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("site") / "v.mp4", frames=30).read_bytes()


@pytest.fixture
def web(clip: bytes) -> Iterator[Web]:
    with serving({"/v.mp4": give(clip, Content_Type="video/mp4")}) as served:
        yield served


def fetched(web: Web, path: str, folder: Path) -> Downloaded:
    return download(web.url(path), folder, limits=LIMITS, allowed=web.allowed)


def page(src: str) -> bytes:
    return PAGE.format(src).encode()


def test_the_video_of_a_page_is_fetched_and_called_by_the_title(web: Web, clip: bytes, tmp_path: Path) -> None:
    web.answers["/page"] = give(page("/v.mp4"), Content_Type="text/html")
    found = fetched(web, "/page", tmp_path)
    assert found.path.read_bytes() == clip
    assert "red car" in found.name
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "note"}


def test_a_playlist_of_pieces_is_put_together_by_ytdlp_itself(web: Web, tmp_path: Path) -> None:
    piece = write_clip(tmp_path / "p.ts", frames=30, container_format="mpegts").read_bytes()
    (tmp_path / "p.ts").unlink()
    web.answers["/l.m3u8"] = give(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\np.ts\n#EXTINF:1,\np.ts\n#EXT-X-ENDLIST\n",
        Content_Type="application/vnd.apple.mpegurl",
    )
    web.answers["/p.ts"] = give(piece)
    assert fetched(web, "/l.m3u8", tmp_path).path.read_bytes() == piece + piece


def test_pictures_and_sound_that_a_site_has_apart_are_both_fetched(web: Web, tmp_path: Path) -> None:
    listed = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}.ts\n#EXT-X-ENDLIST\n"
    for kind in ("v", "a"):
        web.answers[f"/{kind}.m3u8"] = give(listed.format(kind).encode(), Content_Type="application/vnd.apple.mpegurl")
        web.answers[f"/{kind}.ts"] = give(kind.encode() * 188)
    web.answers["/all.m3u8"] = give(
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="en",DEFAULT=YES,URI="a.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="s"\nv.m3u8\n',
        Content_Type="application/vnd.apple.mpegurl",
    )
    found = fetched(web, "/all.m3u8", tmp_path)
    assert found.sound is not None
    assert (found.path.read_bytes(), found.sound.read_bytes()) == (b"v" * 188, b"a" * 188)
    assert (found.bytes, found.notes) == (376, ())


@pytest.mark.parametrize("place", ["http://169.254.169.254/v.mp4", "/on.mp4"])
def test_what_a_page_leads_to_is_judged_as_well(web: Web, tmp_path: Path, place: str) -> None:
    web.answers["/page"] = give(page(place), Content_Type="text/html")
    web.answers["/on.mp4"] = redirect("http://127.0.0.1:80/v.mp4")
    with pytest.raises(InputError, match="no public address"):
        fetched(web, "/page", tmp_path)


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_playlist_gets_nothing_from_the_machine_and_its_network(web: Web, tmp_path: Path, scheme: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    work = tmp_path / "work"
    work.mkdir()
    piece = f"file://{secret}" if scheme == "file" else "http://169.254.169.254/p.ts"
    web.answers["/l.m3u8"] = give(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{piece}\n#EXT-X-ENDLIST\n".encode(),
        Content_Type="application/vnd.apple.mpegurl",
    )
    with pytest.raises(InputError):
        fetched(web, "/l.m3u8", work)
    assert not any(b"geheim" in path.read_bytes() for path in work.iterdir())
    assert not (work / "source").exists()


def test_bytes_are_counted_here_too(web: Web, clip: bytes, tmp_path: Path) -> None:
    web.answers["/page"] = give(page("/endless.mp4"), Content_Type="text/html")
    web.answers["/endless.mp4"] = endless(clip)
    with pytest.raises(InputError, match="more than 1048576 bytes|larger than the limit"):
        fetched(web, "/page", tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= LIMITS.bytes + 4096


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"duration": 7201}, "lasts 7201 s; at most 7200 s"),
        ({"is_live": True}, "it is live"),
        ({"live_status": "is_upcoming"}, "it is live"),
    ],
)
def test_what_a_site_says_is_too_long_or_endless_is_not_fetched(
    tmp_path: Path, info: dict[str, object], said: str
) -> None:
    refuse = fetch_site._options(Fetch("https://example.com/watch", tmp_path))["match_filter"]
    assert refuse({"duration": 7200}) is None
    with pytest.raises(InputError, match=said):
        refuse(info)


def test_without_ytdlp_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    monkeypatch.setitem(sys.modules, "curl_cffi", None)
    with pytest.raises(DependencyError, match=r"a page or a text.*pip install 'mm2energon\[urls\]'"):
        fetch_site.fetch(Fetch("https://example.com/watch", tmp_path), IsPageError("it leads to a page or a text"))
