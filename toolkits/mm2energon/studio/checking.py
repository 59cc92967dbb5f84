"""Checking: the route that tells tokens and warnings of one entry."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from mm2energon.errors import InputError, SampleError
from mm2energon.pipeline.budget import Counting
from mm2energon.review.model import Item
from mm2energon.sample import Sample, Video
from mm2energon.studio.answers import Json
from mm2energon.studio.checks import Checked, check_sample, videos_without_frames
from mm2energon.studio.frames import Interval
from mm2energon.studio.media import Number, lying
from mm2energon.studio.state import State
from mm2energon.targets import TARGETS, target_named
from mm2energon.tokens import MODELS


def router(state: State) -> APIRouter:
    """The route of one entry's check."""
    routes = APIRouter(prefix="/api")

    @routes.get("/items/{number}/check")
    async def check(
        request: Request,
        number: Number,
        target: str | None = None,
        model: str | None = None,
        interval: Interval = None,
    ) -> Response:
        job = await anyio.to_thread.run_sync(_job, state, number, target, model, interval)
        if isinstance(job, dict):
            return Json(job)
        failures = await _decoded(state, request, job)
        return Json(await state.isolated.answer(request, check_sample, replace(job, failures=failures)))

    return routes


async def _decoded(state: State, request: Request, job: Checked) -> dict[str, SampleError]:
    """Have the videos decoded that have no frames yet; those that cannot be, and why."""
    failures: dict[str, SampleError] = {}
    if job.content is None:
        for name in await anyio.to_thread.run_sync(videos_without_frames, job):
            try:
                await state.decoding.frames(request, job.packs, name)
            except SampleError as error:
                failures[name] = error
    return failures


def _job(
    state: State, number: int, target: str | None, model: str | None, interval: float | None
) -> Checked | dict[str, object]:
    """What is to be checked; of an entry that cannot be read there is nothing but why."""
    settings, item = state.settings, state.item(number)
    name, counted = target_named(target or settings.target).name, model or settings.tokens_model
    if counted not in MODELS:
        raise InputError(f"{counted[:100]!r}: no such model; one of {', '.join(MODELS)} was expected")
    if item.sample is None:
        code, message = item.error or ("", "it cannot be read")
        fault = {"code": code, "message": message}
        told = {"target": name, "model": counted, "tokens": None, "warnings": [fault]}
        return {**told, "targets": dict.fromkeys(TARGETS, fault)}
    tokenizer = settings.tokenizer if counted == settings.tokens_model else None
    return Checked(
        _named_whole(state, item, item.sample),
        state.root,
        settings.further,
        name,
        Counting(counted, tokenizer),
        state.decoding.packs(state.root, interval or settings.interval_seconds),
        content=state.content(number) if state.is_record(item) else None,
    )


def _named_whole(state: State, item: Item, sample: Sample) -> Sample:
    """A sample whose videos have their endings, as `shard` looks for them."""

    def whole(video: Video) -> Video:
        with contextlib.suppress(SampleError):  # the check says so
            if isinstance(video, str) and isinstance(lies := lying(state, item, video), str):
                return lies
        return video

    return sample if state.is_record(item) else replace(sample, videos=tuple(map(whole, sample.videos)))
