"""Chat videos: the routes by which a video comes in: sent, fetched from a URL, or one of the dataset; and goes out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from mm2energon.roots import open_regular
from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.frames import Strips
from mm2energon.studio.items import Asked
from mm2energon.studio.login import address_of
from mm2energon.studio.sending import ANSWERS, Sent, file_tag, send
from mm2energon.studio.state import State
from mm2energon.studio.strips import Strip
from mm2energon.studio.trying import Trying, video_told
from mm2energon.videochat.intake import BusyError, Job
from mm2energon.videochat.uploads import receive, shown_name

_PAUSE_SECONDS = 0.1
Id = Annotated[str, InPath(max_length=64, pattern="^[0-9A-Za-z_-]+$")]
Number = Annotated[int, Field(ge=0, lt=2**31)]
#: Seconds that the answer to an upload waits for the copy; then it tells of the job, which may take long.
Wait = Annotated[float, Query(ge=0, le=60)]


class VideoAsked(Asked):
    """A video to be taken: of a URL, or of an entry of the dataset."""

    url: Annotated[str, Field(max_length=10_000)] | None = None
    number: Number | None = None
    index: Number = 0


def router(state: State, trying: Trying) -> APIRouter:
    """The routes of videos from outside."""
    routes = APIRouter(prefix="/videos")
    _add_coming(routes, state, trying)
    _add_jobs(routes, trying)
    _add_going(routes, trying)
    return routes


def _add_coming(routes: APIRouter, state: State, trying: Trying) -> None:
    strips = Strips(state)

    @routes.put("", responses={202: {"description": "It takes longer: a job, to be asked for."}})
    async def upload(
        request: Request, name: Annotated[str, Query(max_length=4096)] = "", wait: Wait = 20.0
    ) -> Response:
        job = await _received(request, name, trying, state.settings.max_upload_bytes)
        return await _answer(request, job, wait)

    @routes.post("")
    async def take(request: Request, asked: VideoAsked) -> Response:
        if (asked.url is None) == (asked.number is None):
            raise Refused(400, "either a URL or the number of an entry was expected")
        who = address_of(request.scope)
        if asked.url is not None:
            return Json({"job": (await anyio.to_thread.run_sync(_fetched, trying, asked.url, who)).id})
        async with _expected(trying, "video", who) as (job, held):
            path, job.name, ours = await _of_dataset(request, state, strips, trying, asked, held)
            trying.intake.take_file(job, path, held=held.pop_all(), ours=ours)
        return Json({"job": job.id})


@asynccontextmanager
async def _expected(trying: Trying, name: str, who: str) -> AsyncIterator[tuple[Job, ExitStack]]:
    """A job, and what is held for it: of what was cut off, or refused, nothing stays."""
    intake = await anyio.to_thread.run_sync(lambda: trying.intake)
    try:
        job = intake.expect(name, who=who)
    except BusyError as error:
        raise Refused(429, str(error), "busy") from error
    with ExitStack() as held:
        try:
            yield job, held
        except BaseException:
            intake.give_up(job)
            raise


def _fetched(trying: Trying, url: str, who: str) -> Job:
    try:
        return trying.intake.take_url(url, who=who)
    except BusyError as error:
        raise Refused(429, str(error), "busy") from error


async def _received(request: Request, name: str, trying: Trying, most_bytes: int) -> Job:
    """Write what is sent to a folder of its own, and begin the job."""
    async with _expected(trying, name or "video", address_of(request.scope)) as (job, held):
        folder = await anyio.to_thread.run_sync(held.enter_context, trying.intake.cache.work())
        try:
            await receive(request.stream(), folder / "upload", most_bytes=most_bytes)
        except ClientDisconnect as error:
            raise Refused(499, "the upload was cut off", "gone") from error
        except OSError as error:
            raise Refused(507, f"the upload could not be saved ({error.strerror or error})", "disk") from error
        return trying.intake.take_file(job, folder / "upload", held=held.pop_all(), ours=True)


async def _answer(request: Request, job: Job, wait_seconds: float) -> Response:
    """The video, where it is there soon; else the job. Who hangs up wants neither."""
    with anyio.move_on_after(wait_seconds):
        while not job.is_over.is_set():
            if await request.is_disconnected():
                job.stop.set()
                raise Refused(499, "nobody waits for the video any more", "gone")
            await anyio.sleep(_PAUSE_SECONDS)
    if job.state in ("failed", "cancelled"):
        raise Refused(422, job.error or "it was cancelled", "bad-video")
    if job.video is None:
        return Json({"job": job.id}, 202)
    return Json({"video": video_told(job.video), "job": job.id})


async def _of_dataset(
    request: Request, state: State, strips: Strips, trying: Trying, asked: VideoAsked, held: ExitStack
) -> tuple[Path, str, bool]:
    """The file of a video of an entry, what it is called, and whether it was made here of its frames."""
    from mm2energon.studio import media

    number, index = asked.number or 0, asked.index
    item = await anyio.to_thread.run_sync(state.item, number)
    videos = () if item.sample is None else item.sample.videos
    video = videos[index] if index < len(videos) and state.review.kind != "shards" else ()
    if isinstance(video, str):
        video = await anyio.to_thread.run_sync(media.lying, state, item, video)
    if isinstance(video, str):
        found = await anyio.to_thread.run_sync(media.find, state, number, "video", index)
        if found.path is not None:
            return found.path, shown_name(found.name), False
    strip = await strips.find(request, number, index, None)
    folder = await anyio.to_thread.run_sync(held.enter_context, trying.intake.cache.work())
    await anyio.to_thread.run_sync(_bundle, strips, strip, number, folder / "frames")
    return folder / "frames", shown_name(f"{item.origin} video {index + 1}.mp4"), True


def _bundle(strips: Strips, strip: Strip, number: int, path: Path) -> None:
    """The frames of a list or a shard as one file."""
    from mm2energon.video.bundle import bundle, can_bundle

    frames = [strips.picture(number, strip, frame) for frame in range(len(strip.times))]
    if not frames or not can_bundle(frames, strip.fps):
        raise Refused(422, "its frames are no video: all JPEG or all PNG, of one size, were expected", "bad-video")
    with path.open("xb") as file:
        bundle(file, frames, fps=strip.fps)


def _add_jobs(routes: APIRouter, trying: Trying) -> None:
    @routes.get("/jobs/{job_id}")
    def look(job_id: Id) -> Response:
        return Json(_told(_job(trying, job_id)))

    @routes.delete("/jobs/{job_id}")
    def cancel(job_id: Id) -> Response:
        job = _job(trying, job_id)
        job.stop.set()
        return Json(_told(job))


def _job(trying: Trying, job_id: str) -> Job:
    try:
        return trying.intake.get(job_id)
    except KeyError:
        raise Refused(404, "there is no such job (any more)") from None


def _told(job: Job) -> dict[str, Any]:
    video = None if job.video is None else video_told(job.video)
    told = {"state": job.state, "message": job.message, "name": job.name, "done": int(job.done)}
    total = None if job.total is None else int(job.total)
    return {**told, "total": total, "video": video, "error": job.error}


def _add_going(routes: APIRouter, trying: Trying) -> None:
    @routes.head("/{video_id}", include_in_schema=False)
    @routes.get("/{video_id}", response_class=Response, responses=ANSWERS)
    def show(request: Request, video_id: Id) -> Response:
        video = trying.video(video_id)
        try:
            file = open_regular(video.path)
        except OSError as error:
            raise Refused(404, "this video is not there any more; give it again", "no-video") from error
        size = file.seek(0, os.SEEK_END)
        return send(request, Sent(file, size, "video/mp4", file_tag(file), f"{Path(video.name).stem}.mp4"))
