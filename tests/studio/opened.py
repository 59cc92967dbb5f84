"""A studio opened on a small dataset of every kind of medium, and a page that asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from media import ffmpeg, write_clip, write_image
from mm2energon.studio.app import create_app
from mm2energon.studio.settings import Settings
from starlette.testclient import TestClient

BASE = "http://127.0.0.1:8000"
HEADERS = {"X-Studio": "1", "Origin": BASE}


def chat(question: str = "What is this?", answer: str = "A thing.") -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def entry(
    kind: str, *paths: Any, question: str = "What is this?", answer: str = "A thing.", **more: Any
) -> dict[str, Any]:
    """A ShareGPT entry with media of one kind."""
    tags = f"<{kind}>" * len(paths)
    return {"conversations": chat(tags + question, answer), **({f"{kind}s": list(paths)} if paths else {}), **more}


def write_entries(path: Path, entries: list[Any]) -> Path:
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def settings_for(data: Path, **more: Any) -> Settings:
    folder = data.parent.resolve()
    given = {"cache": folder.parent / "cache", "output_roots": (folder,), **more}
    return Settings(data, **given)


@contextmanager
def opened(data: Path, *, base: str = BASE, **more: Any) -> Iterator[TestClient]:
    """A page of the studio that shows the data."""
    app = create_app(settings_for(data, **more))
    with TestClient(app, base_url=base, headers=HEADERS) as page:
        wait_until_indexed(page)
        yield page


def wait_until_indexed(page: TestClient) -> None:
    """Wait until all entries are known."""
    import time

    for _ in range(600):
        if page.get("/api/session").json()["dataset"]["indexed"]:
            return
        time.sleep(0.05)
    raise AssertionError("the index is never done")


def write_media(root: Path) -> None:
    """A clip of 3 s at 10 frames a second, and the like of it, of every kind that is told apart."""
    write_clip(root / "clip.mp4", frames=31, rate=10)
    ffmpeg("-i", root / "clip.mp4", "-c:v", "mpeg4", root / "old.avi")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", root / "tone.wav")
    for name in ("a.jpg", "a.tiff", "a.bmp"):
        write_image(root / name, number=7)
    (root / "page.jpg").write_text("<html><script>alert(1)</script></html>")
    (root / "drawn.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    (root / "broken.mp4").write_bytes((root / "clip.mp4").read_bytes()[:1500])
