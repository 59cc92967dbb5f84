"""Chat: the routes by which a model is tried: what there is to ask, questions, their events, and what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from mm2energon.studio import chat_videos
from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.chat_events import as_events
from mm2energon.studio.items import Asked
from mm2energon.studio.kept import keep_answer
from mm2energon.studio.login import address_of
from mm2energon.studio.state import State
from mm2energon.studio.trying import Trying, video_told

#: Characters of names and of what is asked; the desk has its own limits, in words.
Name = Annotated[str, Field(max_length=4096)]
Text = Annotated[str, Field(max_length=100_000)]
Id = Annotated[str, InPath(max_length=64, pattern="^[0-9A-Za-z_-]+$")]
#: Of a number that a page sends back: digits of any number of events.
_MOST_DIGITS = 18


class QuestionAsked(Asked):
    """What is asked of a model about a video."""

    video: Name
    question: Text
    backend: Name = "transformers"
    model: Name = ""
    adapters: Annotated[list[Name | None], Field(min_length=1, max_length=2)] = [None]
    parameters: Annotated[dict[str, Any], Field(max_length=50)] = {}
    #: What a browser calls itself: many may come from one address, by a proxy, a tunnel or a container.
    who: Annotated[str, Field(max_length=64)] = ""


class KeepAsked(Asked):
    """Whose answer is kept: that of an adapter, or of the model as it is."""

    adapter: Name | None = None


def router(state: State, trying: Trying | None = None) -> APIRouter:
    """The routes of trying a model.

    Args:
        trying: another desk or intake, for tests.
    """
    routes = APIRouter(prefix="/api/chat")
    trying = trying or Trying(state.settings)
    state.ends.callback(trying.close)
    trying.clear_up()
    _add_questions(routes, trying)
    _add_events(routes, state, trying)
    _add_answers(routes, state, trying)
    routes.include_router(chat_videos.router(state, trying))
    return routes


def _add_questions(routes: APIRouter, trying: Trying) -> None:
    @routes.get("/models")
    def models() -> Response:
        return Json(trying.desk.offers())

    @routes.post("/asks")
    def ask(request: Request, asked: QuestionAsked) -> Response:
        from mm2energon.videochat.asking import Parameters, Question

        question = Question(
            asked.question,
            Path(),
            backend=asked.backend,
            model=asked.model,
            adapters=tuple(asked.adapters),
            parameters=Parameters.read(asked.parameters),
            who=f"{address_of(request.scope)} {asked.who}",
        )
        return Json({"id": trying.ask(asked.video, question)})

    @routes.post("/asks/{ask_id}/cancel")
    def cancel(ask_id: Id) -> Response:
        try:
            return Json({"cancelled": trying.desk.cancel(ask_id)})
        except KeyError:
            raise _unknown() from None


def _add_events(routes: APIRouter, state: State, trying: Trying) -> None:
    @routes.get("/asks/{ask_id}/events", response_class=StreamingResponse)
    async def events(
        ask_id: Id,
        last_event_id: Annotated[str, Header(max_length=100)] = "",
        after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    ) -> Response:
        seen = last_event_id.strip()
        if seen.isascii() and seen.isdigit():
            after = max(after, int(seen[:_MOST_DIGITS]))
        try:
            found = trying.desk.events(ask_id, after, wait_seconds=0)
        except KeyError:
            raise _unknown() from None
        headers = {"X-Accel-Buffering": "no"}  # proxies hold nothing back
        return StreamingResponse(as_events(found, state.is_ending), headers=headers, media_type="text/event-stream")


def _add_answers(routes: APIRouter, state: State, trying: Trying) -> None:
    @routes.get("/history")
    def history() -> Response:
        return Json({"asks": [_told(trying, entry) for entry in trying.desk.history()]})

    @routes.get("/asks/{ask_id}")
    def look(ask_id: Id) -> Response:
        return Json(_told(trying, _entry(trying, ask_id)))

    @routes.post("/asks/{ask_id}/keep")
    def keep(ask_id: Id, asked: KeepAsked) -> Response:
        return Json({"number": keep_answer(state, trying, _entry(trying, ask_id), asked.adapter)})


def _entry(trying: Trying, ask_id: str) -> dict[str, Any]:
    found = trying.desk.entry(ask_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> Refused:
    return Refused(404, "this question is not known any more; ask it again")


def _told(trying: Trying, entry: dict[str, Any]) -> dict[str, Any]:
    """A question as a page has it: its video as one of the cache, no path of this machine."""
    told = {name: value for name, value in entry.items() if name not in ("video_path", "who")}
    key = Path(str(entry.get("video_path", ""))).stem
    video = trying.intake.cache.look(key)
    told["video"] = video_told(video) if video is not None else None
    return {**told, "video_name": str(entry.get("video", ""))}
