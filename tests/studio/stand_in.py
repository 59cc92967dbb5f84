"""A server that answers for the studio's model and its training from a script, and waits when it is told to.

It serves the true page under the true headers. What is told of an ask is the same each time (`answer_script`); a test
holds the stream before any event, lets it go on, or cuts the connection.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mm2energon.studio
import uvicorn
from fastapi import FastAPI, Request
from mm2energon.studio.security import HEADERS
from mm2energon.tuning.options import OPTIONS
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

#: How long what should be on a page may take to come.
PATIENCE_MS = 20_000
PAGE = Path(mm2energon.studio.__file__).parent / "page"
DEFAULTS = {
    "iterations": 3,
    "fps": 1.0,
    "max_new_tokens": 512,
    "temperature": 0.0,
    "top_p": 1.0,
    "repetition_penalty": 1.05,
    "first_prompt": "[QUESTION]\nThink first, then answer.",
    "next_prompt": "[QUESTION]\nLook closer, then answer.",
    "frame_budget": 64,
}
BACKENDS: list[dict[str, Any]] = [
    {
        "name": "transformers",
        "title": "On this machine (transformers)",
        "ready": True,
        "message": "",
        "models": ["/models/tiny-qwen2_5-vl", "OpenGVLab/VideoChat-R1_5-7B"],
        "adapters": True,
        "any_name": False,
    },
    {
        "name": "openai",
        "title": "A server that speaks OpenAI's language",
        "ready": False,
        "message": "no server was named: start the studio with --openai-url http://127.0.0.1:8001/v1",
        "models": [],
        "adapters": False,
        "any_name": True,
    },
]
ADAPTERS = [
    {"name": "colours/final_checkpoint", "base": "tiny-qwen2_5-vl", "ready": True, "message": ""},
    {"name": "speech", "base": "Qwen2-VL-7B", "ready": False, "message": "made for Qwen2-VL-7B, not for this model"},
]


def answer_script(adapter: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Two rounds: seen coarsely, thought about, seen more closely, answered."""
    said = "red" if adapter else "blue"
    first = [
        "<think>Something moves ",
        "in the middle.</think>",
        "It is <b>" + said + "</b>. ",
        "<glue>[(1.0, 1.5)]</glue>",
    ]
    second = ["<thi", "nk>Now I see it.</think>", "<answer>The square ", f"is {said}.", "</answer>"]
    events: list[tuple[str, dict[str, Any]]] = [("round", {"round": 1, "of": 2, "frames": [0.0, 0.5, 1.0, 1.5]})]
    events += [("token", {"text": text}) for text in first]
    events += [
        ("spans", {"spans": [[1.0, 1.5]]}),
        ("round", {"round": 2, "of": 2, "frames": [1.0, 1.125, 1.25, 1.375]}),
    ]
    events += [("token", {"text": text}) for text in second]
    events += [("answer", {"text": f"The square is {said}."})]
    return [(name, data | {"adapter": adapter}) for name, data in events]


class StandIn:
    """What was asked of the server, and what it has to say."""

    def __init__(self, clip: Path) -> None:
        self.clip = clip
        self.start_anew()

    def start_anew(self) -> None:
        """Know nothing of what was before."""
        self.asked: list[dict[str, Any]] = []
        self.kept: list[tuple[str, str | None]] = []
        self.uploads: list[tuple[str, int]] = []
        self.connections: list[str] = []
        self.cancelled: list[str] = []
        self.started: list[dict[str, Any]] = []
        self.runs: dict[str, dict[str, Any]] = {}
        #: The name of the event before which streams wait, and a number of events after which one is cut, once.
        self.hold_before = ""
        self.cut_after = 0
        #: Whether events of before are known no more, as after a restart.
        self.has_forgotten = False
        #: How much of a video from elsewhere is there, in bytes of 1000; -1: it failed.
        self.fetched = 1000

    def add_run(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """A run that has begun, and has done nothing yet."""
        told = {
            "id": name,
            "state": "preparing",
            "message": "",
            "step": 0,
            "total": 100,
            "started": "2026-11-21T12:00:00Z",
        }
        figures: dict[str, Any] = {"losses": [], "evals": [], "lines": ["reading train.json"]}
        self.runs[name] = (
            told | {"options": asked, "adapter": None, "adapter_name": None, "can_resume": False} | figures
        )
        return self.runs[name]

    def train_to(self, name: str, step: int) -> dict[str, Any]:
        """Let a run be at a step: its loss falls as 2 / step, with a zigzag; every tenth step is validated."""
        run = self.runs[name]
        for at in range(run["step"] + 1, step + 1):
            seconds = f"2026-11-21T12:{at // 60:02d}:{at % 60:02d}Z"
            run["losses"].append(
                {
                    "step": at,
                    "loss": 2 / at + 0.2 * (at % 2),
                    "learning_rate": 1e-4,
                    "tokens_per_second": 812.0,
                    "at": seconds,
                }
            )
            if at % 10 == 0:
                run["evals"].append({"step": at, "loss": 2 / at + 0.3})
            run["lines"].append(f"step {at}: loss {2 / at + 0.2 * (at % 2):.3f}")
        run.update(state="running", step=step)
        return run

    def events_of(self, ask: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """All that is told of an ask."""
        events: list[tuple[str, dict[str, Any]]] = [
            ("queued", {"position": 2}),
            ("loading", {"message": "Loading the model"}),
        ]
        if "fail" in ask["question"]:
            return [*events, ("failed", {"message": "the model ran out of memory: 24 GB were needed; use 4-bit"})]
        for adapter in ask["adapters"]:
            events += answer_script(adapter)
        return [*events, ("done", {})]

    async def stream(self, number: int, after: int) -> AsyncIterator[str]:
        """The events of an ask behind one of them, as text/event-stream."""
        for place, (name, data) in enumerate(self.events_of(self.asked[number]), start=1):
            while name == self.hold_before and str(number) not in self.cancelled:
                yield ": waiting\n\n"
                await asyncio.sleep(0.02)
            if str(number) in self.cancelled:
                name, data = "cancelled", {}
            if place > after:
                yield f"id: {place}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
            if name == "cancelled" or place == self.cut_after:
                self.cut_after = 0
                return


def _video(stand_in: StandIn, name: str) -> dict[str, Any]:
    size = stand_in.clip.stat().st_size
    return {
        "id": "v1",
        "name": name,
        "duration": 2.0,
        "width": 320,
        "height": 240,
        "fps": 8.0,
        "bytes": size,
        "url": "/api/chat/videos/v1",
    }


def _fault(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "code": "bad-input"}}, status)


def _add_page(app: FastAPI) -> None:
    @app.get("/")
    def index() -> Response:
        return FileResponse(PAGE / "index.html", headers=HEADERS)

    @app.get("/{name}")
    def asset(name: str) -> Response:
        if not (PAGE / name).is_file():
            return _fault(404, f"no {name}")
        return FileResponse(PAGE / name, headers={"Cache-Control": "max-age=600"})


def _add_session(app: FastAPI) -> None:
    ready = {"ready": True, "message": ""}

    @app.get("/api/session")
    def session() -> dict[str, Any]:
        dataset = {
            "name": "train.json",
            "kind": "json",
            "path": "/data/train.json",
            "root": "/data",
            "count": 3,
            "total": 3,
        }
        return {
            "version": "1",
            "dataset": dataset | {"indexed": True, "problem": None, "journal": "/data/train.review.jsonl"},
            "reviewers": ["anna"],
            "reviewer": "anna",
            "targets": ["pai-v1"],
            "target": "pai-v1",
            "model": "qwen2.5-vl",
            "templates": [],
            "reasons": [],
            "features": {"chat": ready, "finetune": ready},
            "needs_token": False,
        }

    @app.get("/api/changes")
    def changes() -> dict[str, Any]:
        return {"since": 0, "numbers": [], "indexed": True, "count": 3}


def _add_videos(app: FastAPI, stand_in: StandIn) -> None:
    @app.put("/api/chat/videos")
    async def upload(name: str, request: Request) -> Any:
        body = await request.body()
        stand_in.uploads.append((name, len(body)))
        if not name.endswith((".mp4", ".webm")):
            return _fault(415, f"{name}: no video stream was found; give an MP4, WebM, MKV or MOV file")
        return {"video": _video(stand_in, name)}

    @app.post("/api/chat/videos")
    async def fetch(request: Request) -> Any:
        body = await request.json()
        if "192.168." in body.get("url", ""):
            return _fault(400, "192.168.0.1 is a private address: give the public address of a video")
        stand_in.uploads.append((body.get("url") or f"item {body['number']}/{body['index']}", 0))
        return {"job": "j1"}

    @app.get("/api/chat/videos/jobs/j1")
    def job() -> dict[str, Any]:
        done = stand_in.fetched
        if done < 0:
            return {"state": "failed", "done": 0, "total": None, "video": None, "error": "the site answered 404"}
        video = _video(stand_in, "beach.mp4") if done >= 1000 else None
        return {"state": "done" if video else "running", "done": done, "total": 1000, "video": video, "error": None}

    @app.delete("/api/chat/videos/jobs/j1")
    def stop() -> dict[str, Any]:
        stand_in.cancelled.append("j1")
        return {}

    @app.get("/api/chat/videos/v1")
    def show() -> Response:
        return FileResponse(stand_in.clip, media_type="video/mp4")


def _entry(stand_in: StandIn, number: int) -> dict[str, Any]:
    """A question as the history has it."""
    about = {"id": str(number), "at": "2026-11-21T12:00:00Z", "state": "done", "video": _video(stand_in, "beach.mp4")}
    asked = stand_in.asked[number]
    return asked | about | {"state": asked.get("state", "done")}


def _add_chat(app: FastAPI, stand_in: StandIn) -> None:
    @app.get("/api/chat/models")
    def models() -> dict[str, Any]:
        return {"backends": BACKENDS, "adapters": ADAPTERS, "defaults": DEFAULTS}

    @app.post("/api/chat/asks")
    async def ask(request: Request) -> dict[str, Any]:
        stand_in.asked.append(await request.json())
        return {"id": str(len(stand_in.asked) - 1)}

    @app.get("/api/chat/asks/{number}/events")
    async def events(number: int, request: Request) -> Response:
        if number >= len(stand_in.asked) or stand_in.has_forgotten:
            return _fault(404, f"no question {number} is known any more")
        after = request.headers.get("last-event-id", "")
        stand_in.connections.append(after)
        return StreamingResponse(stand_in.stream(number, int(after or 0)), media_type="text/event-stream")

    @app.get("/api/chat/history")
    def history() -> dict[str, Any]:
        over = [] if stand_in.hold_before else range(len(stand_in.asked))
        return {"asks": [_entry(stand_in, number) for number in reversed(over)]}

    @app.get("/api/chat/asks/{number}")
    def look(number: int) -> Any:
        if number >= len(stand_in.asked):
            return _fault(404, f"no question {number} is known any more")
        return _entry(stand_in, number)

    @app.post("/api/chat/asks/{number}/cancel")
    def cancel(number: str) -> dict[str, Any]:
        stand_in.cancelled.append(number)
        return {}

    @app.post("/api/chat/asks/{number}/keep")
    async def keep(number: str, request: Request) -> dict[str, Any]:
        stand_in.kept.append((number, (await request.json())["adapter"]))
        return {"number": 3}


def _add_finetune(app: FastAPI, stand_in: StandIn) -> None:
    @app.get("/api/finetune/options")
    def options() -> dict[str, Any]:
        return {
            "ready": True,
            "message": "",
            "options": [one.as_json() for one in OPTIONS],
            "models": ["/models/tiny-qwen2_5-vl"],
        }

    @app.get("/api/finetune/runs")
    def runs() -> dict[str, Any]:
        return {"runs": [_told_run(run) for run in reversed(stand_in.runs.values())]}

    @app.post("/api/finetune/runs")
    async def start(request: Request) -> Any:
        asked = await request.json()
        name = asked.get("output", "run-1")
        if name in stand_in.runs:
            return _fault(400, f"output {name!r}: there is such a folder; another name was expected")
        stand_in.started.append(asked)
        stand_in.add_run(name, asked)
        return {"id": name}

    @app.get("/api/finetune/runs/{name}")
    def follow(name: str, since: int = 0) -> Any:
        run = stand_in.runs.get(name)
        if run is None:
            return _fault(404, f"{name}: no such run")
        losses, evals = run["losses"][since:], [one for one in run["evals"] if one["step"] > since]
        return _told_run(run) | {"losses": losses, "evals": evals, "lines": run["lines"], "since": len(run["losses"])}

    @app.post("/api/finetune/runs/{name}/{what}")
    def act(name: str, what: str) -> dict[str, Any]:
        stand_in.runs[name].update(
            {"stop": {"state": "stopped", "can_resume": True}, "resume": {"state": "running", "can_resume": False}}[
                what
            ]
        )
        return {}


def _told_run(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in ("losses", "evals", "lines")}


def build_app(stand_in: StandIn) -> FastAPI:
    """The application; the page comes last, for its routes take any name."""
    app = FastAPI()
    _add_session(app)
    _add_chat(app, stand_in)
    _add_videos(app, stand_in)
    _add_finetune(app, stand_in)
    _add_page(app)
    return app


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address at which the application answers, on a free port of loopback, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Debian's Chromium, on machines that may be busy."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, address: str, *, width: int = 1280, scheme: Any = "light") -> Iterator[Page]:
    """A page in a context of its own."""
    height = 844 if width < 500 else 800
    viewport: Any = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    try:
        with opened_in(context, address) as page:
            yield page
    finally:
        context.close()


@contextmanager
def opened_in(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page that remembers nothing; at the end nothing may have been thrown, or been refused by the page's policy."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.on("console", lambda message: thrown.append(message.text) if "Policy" in message.text else None)
    try:
        page.goto(address)
        yield page
        assert thrown == []
    finally:
        page.evaluate("localStorage.clear()")
        page.close()
