"""Changes: what has happened since a page asked last, and the figures of a whole review."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.items import Asked, Word
from mm2energon.studio.state import State

#: Numbers of changed entries that a page is told; of more it is told that there are more.
_MOST_TOLD = 10_000


class AssignmentAsked(Asked):
    """How entries are shared out."""

    reviewers: Annotated[list[Word], Field(min_length=1, max_length=1000)]
    per_entry: Annotated[int, Field(ge=1, le=1000)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    view: Word | None = None
    only_new: bool = False


def router(state: State) -> APIRouter:
    """The routes of what is told again and again, and of figures."""
    routes, review = APIRouter(prefix="/api"), state.review

    @routes.get("/changes")
    def changes(since: Annotated[int, Query(ge=-1, lt=2**63)] = -1) -> Response:
        found = review.changes(since, most=_MOST_TOLD + 1)
        return Json(
            {
                "since": found.since,
                "numbers": list(found.numbers[:_MOST_TOLD]),
                "more": len(found.numbers) > _MOST_TOLD,
                "count": found.count,
                "indexed": found.is_indexed,
                "total": review.total,
                "progress": review.progress,
                "problem": review.problem,
            }
        )

    @routes.get("/statistics")
    def statistics() -> Response:
        return Json(dict(review.statistics()))

    @routes.get("/agreement")
    def agreement(edits_apart: bool = False) -> Response:
        return Json({"pairs": [asdict(pair) for pair in review.agreement(edits_apart=edits_apart)]})

    @routes.post("/assignments")
    def assign(asked: AssignmentAsked) -> Response:
        view = None if asked.view is None else review.view(asked.view)
        if asked.view is not None and view is None:
            raise Refused(404, "this list is forgotten; ask for it again", "view-forgotten")
        shares = review.assign(
            asked.reviewers, per_entry=asked.per_entry, seed=asked.seed, view=view, only_new=asked.only_new
        )
        return Json({"shares": shares})

    return routes
