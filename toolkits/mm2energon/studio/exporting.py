"""Exporting: the routes by which an export is begun, watched and cancelled."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from mm2energon.errors import ToolkitError
from mm2energon.pipeline.loop import Progress
from mm2energon.review.export_job import ExportCancelledError, Exported, ExportJob
from mm2energon.studio.answers import Json, Refused, crash_told
from mm2energon.studio.export_asked import ExportAsked
from mm2energon.studio.state import State

if TYPE_CHECKING:
    from pathlib import Path

#: Exports that are remembered, and lines and skipped samples that one answer holds.
_EXPORTS_REMEMBERED = 20
_MOST_LINES = 5000
_MOST_SKIPPED = 500
_STOPPING_SECONDS = 5.0


@dataclass
class Running:
    """An export under way, or done."""

    job: ExportJob
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    what: str = ""
    done: int = 0
    total: int | None = None
    lines: list[str] = field(default_factory=list)
    exported: Exported | None = None
    error: dict[str, str] | None = None
    is_cancelled: threading.Event = field(default_factory=threading.Event)

    def progress(self, what: str, total: int | None) -> Progress:
        """A bar of one step of it."""
        self.what, self.done, self.total = what, 0, total
        return _Bar(self)

    def told(self, since: int) -> dict[str, Any]:
        """All that a page is told, lines from that one on."""
        told = {"state": self.state, "step": self.what, "done": self.done, "total": self.total, "error": self.error}
        lines = self.lines[since : since + _MOST_LINES]
        told |= {"lines": lines, "since": since + len(lines), "output": str(self.job.output)}
        return {**told, **_outcome(self.exported, self.job.output)}


class _Bar:
    def __init__(self, running: Running) -> None:
        self._running = running

    def update(self, count: int, /, **_also: float) -> None:
        self._running.done += count

    def close(self) -> None:
        pass


class Exports:
    """The exports of a studio, one at a time."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: OrderedDict[str, Running] = OrderedDict()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        state.ends.callback(self.stop)

    def begin(self, job: ExportJob) -> str:
        """Begin one; its id.

        Raises:
            Refused: another one is under way.
        """
        with self._lock:
            if any(one.state == "running" for one in self._known.values()):
                raise Refused(409, "another export is under way; wait for it, or cancel it", "busy")
            name, running = secrets.token_hex(8), Running(job)
            self._known[name] = running
            while len(self._known) > _EXPORTS_REMEMBERED:
                self._known.popitem(last=False)
            self._thread = threading.Thread(target=self._run, args=(running,), name=f"export {name}", daemon=True)
            self._thread.start()
        return name

    def get(self, name: str) -> Running:
        """The export of that id.

        Raises:
            Refused: there is none.
        """
        with self._lock:
            if name not in self._known:
                raise Refused(404, "there is no such export")
            return self._known[name]

    def stop(self) -> None:
        """Cancel what is under way, and wait a little until it has cleaned up."""
        for running in self._known.values():
            running.is_cancelled.set()
        if self._thread is not None:
            self._thread.join(_STOPPING_SECONDS)

    def _run(self, running: Running) -> None:
        from mm2energon.review.export import export

        try:
            running.exported = export(
                self._state.review,
                running.job,
                progress=running.progress,
                told=running.lines.append,
                is_cancelled=running.is_cancelled.is_set,
            )
            running.state = "done"
        except ExportCancelledError as error:
            running.error, running.state = {"code": "cancelled", "message": str(error)}, "cancelled"
        except ToolkitError as error:
            running.error, running.state = (
                {"code": getattr(error, "code", "bad-input"), "message": str(error)},
                "failed",
            )
        except OSError as error:
            message = f"{error.filename or running.job.output}: {error.strerror or error}"
            running.error, running.state = {"code": "disk", "message": message}, "failed"
        except Exception as error:  # noqa: BLE001 (a thread of ours: the page has to know)
            running.error, running.state = crash_told(error), "failed"


def router(state: State) -> APIRouter:
    """The routes of exports."""
    routes, exports = APIRouter(prefix="/api/exports"), Exports(state)

    @routes.post("")
    def begin(asked: ExportAsked) -> Response:
        from mm2energon.review.export_job import check_job
        from mm2energon.review.templates import choose

        job = asked.job(state)
        choose(job.templates)
        check_job(job)
        return Json({"id": exports.begin(job)})

    @routes.get("/{export_id}")
    def watch(export_id: str, since: Annotated[int, Query(ge=0, lt=2**31)] = 0) -> Response:
        return Json(exports.get(export_id).told(since))

    @routes.post("/{export_id}/cancel")
    def cancel(export_id: str) -> Response:
        running = exports.get(export_id)
        running.is_cancelled.set()
        return Json(running.told(0))

    return routes


def _outcome(exported: Exported | None, output: Path) -> dict[str, Any]:
    """What was written, and what was not."""
    if exported is None:
        return {"files": [], "skipped": []}
    files = [
        {"name": _name(one.path, output), "template": one.template, "split": one.split, "records": one.records}
        | {"bytes": one.size_bytes}
        for one in exported.files
    ]
    csv = exported.csv
    return {
        "files": files,
        "skipped": [one.as_json() for one in exported.skipped[:_MOST_SKIPPED]],
        "samples": exported.samples,
        "records": exported.records,
        "left_out": exported.left_out,
        "not_held": exported.not_held,
        "account": exported.account,
        "csv": None
        if csv is None
        else {"path": str(csv.path), "backup": str(csv.backup or ""), "rows": csv.rows, "not_held": list(csv.not_held)},
        "companions": [_name(path, output) for path in exported.companions],
        "advice": exported.advice,
        "shards": exported.shards,
        "seconds": exported.seconds,
    }


def _name(path: Path, output: Path) -> str:
    return str(path.relative_to(output) if path.is_relative_to(output) else path)
