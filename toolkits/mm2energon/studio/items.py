"""Items: the routes by which entries are listed, looked at and decided on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from mm2energon.errors import InputError
from mm2energon.sample import Role, Sample, Turn
from mm2energon.studio import media
from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.media import Number
from mm2energon.studio.state import State
from mm2energon.studio.told import item_told, row_told

if TYPE_CHECKING:
    from mm2energon.review.model import Filter, Item, View

#: Rows of one answer, values of one filter, turns of one conversation, characters of a word and of a text, at most.
_MOST_ROWS = 1000
_MOST_VALUES = 1000
_MOST_TURNS = 10_000
_MOST_NUMBERS = 200_000
Word = Annotated[str, Field(max_length=10_000)]
Words = Annotated[list[Word], Field(max_length=_MOST_VALUES)]
Text = Annotated[str, Field(max_length=2_000_000)]
Do = Literal["accept", "reject", "edit", "reset", "settle-accept", "settle-reject"]


class Asked(BaseModel):
    """What a page sends; a key that means nothing is refused, so that a slip does not pass for nothing."""

    model_config = ConfigDict(extra="forbid")


class ViewAsked(Asked):
    """Which entries are asked for, in which order."""

    status: Words = []
    category: Words = []
    text: Word = ""
    medium: Words = []
    warning: Words = []
    edited: bool | None = None
    reviewer: Word | None = None
    assigned_to: Word | None = None
    left_to: Word | None = None
    duplicates: bool = False
    reasons: Words = []
    sort: Word = "number"

    def filter(self) -> Filter:
        """As the review takes it."""
        from mm2energon.review.model import Filter

        return Filter(
            status=tuple(self.status),
            category=tuple(self.category),
            text=self.text,
            medium=tuple(self.medium),
            warning=tuple(self.warning),
            edited=self.edited,
            reviewer=self.reviewer,
            assigned_to=self.assigned_to,
            left_to=self.left_to,
            duplicates=self.duplicates,
            reasons=tuple(self.reasons),
        )


class TurnAsked(Asked):
    """One message, as edited."""

    role: Role
    text: Text


class DecisionAsked(Asked):
    """What is done to one entry."""

    do: Do
    reason: Word = ""
    turns: Annotated[list[TurnAsked], Field(min_length=1, max_length=_MOST_TURNS)] | None = None
    category: Word | None = None
    reviewer: Word | None = None


class DecisionsAsked(Asked):
    """What is done to many entries at once: to these, or to all of a view."""

    do: Do
    numbers: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=_MOST_NUMBERS)] | None = None
    view: Word | None = None
    reason: Word = ""
    category: Word | None = None
    reviewer: Word | None = None


class ReviewerAsked(Asked):
    """Who asks."""

    reviewer: Word | None = None


def router(state: State) -> APIRouter:
    """The routes of lists and entries."""
    routes = APIRouter(prefix="/api")
    _add_lists(routes, state)
    _add_decisions(routes, state)
    return routes


def _add_lists(routes: APIRouter, state: State) -> None:
    review = state.review

    @routes.post("/views")
    def views(asked: ViewAsked) -> Response:
        wanted = asked.filter()
        view = review.select(wanted, asked.sort)
        return Json({"id": view.id, "count": view.count, "counts": review.counts(wanted)})

    @routes.get("/views/{view_id}/rows")
    def rows(
        view_id: str,
        offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=_MOST_ROWS)] = 100,
    ) -> Response:
        view = _view(state, view_id)
        return Json({"rows": [row_told(row) for row in review.rows(view, offset, limit)], "count": view.count})

    @routes.get("/items/{number}")
    def item(number: Number, reviewer: Word | None = None) -> Response:
        return Json(told(state, state.item(number, state.reviewer(reviewer))))

    @routes.get("/items/{number}/alike")
    def alike(number: Number) -> Response:
        state.item(number)
        groups = review.alike(number).groups()
        return Json({name: [row_told(row) for row in _rows(state, numbers)] for name, numbers in groups.items()})


def _add_decisions(routes: APIRouter, state: State) -> None:
    review = state.review

    @routes.post("/items/{number}/decision")
    def decide(number: Number, asked: DecisionAsked) -> Response:
        reviewer = state.reviewer(asked.reviewer)
        sample = None if asked.turns is None else _edited(state.item(number, reviewer), asked.turns)
        state.item(number)
        about: dict[str, Any] = {"reviewer": reviewer, "reason": asked.reason, "category": asked.category}
        review.decide([number], asked.do, sample=sample, **about)
        return Json(told(state, state.item(number, reviewer)))

    def went(number: int, asked: ReviewerAsked, go: Callable[[int, str], bool]) -> Response:
        reviewer = state.reviewer(asked.reviewer)
        state.item(number)
        changed = go(number, reviewer)
        return Json({**told(state, state.item(number, reviewer)), "changed": changed})

    @routes.post("/items/{number}/undo")
    def undo(number: Number, asked: ReviewerAsked) -> Response:
        return went(number, asked, review.undo)

    @routes.post("/items/{number}/redo")
    def redo(number: Number, asked: ReviewerAsked) -> Response:
        return went(number, asked, review.redo)

    @routes.post("/undo")
    def undo_last(asked: ReviewerAsked) -> Response:
        return Json({"numbers": list(review.undo_last(state.reviewer(asked.reviewer)))})

    @routes.post("/decisions")
    def decide_many(asked: DecisionsAsked) -> Response:
        if (asked.numbers is None) == (asked.view is None):
            raise Refused(422, "either numbers or a view was expected")
        numbers = _view(state, asked.view) if asked.view is not None else asked.numbers or []
        about: dict[str, Any] = {"reason": asked.reason, "category": asked.category}
        return Json({"changed": review.decide(numbers, asked.do, reviewer=state.reviewer(asked.reviewer), **about)})


def told(state: State, item: Item) -> dict[str, Any]:
    """All that is known of an entry, its media too."""
    return {**item_told(item), "media": media.told(state, item)}


def _view(state: State, view_id: str) -> View:
    view = state.review.view(view_id)
    if view is None:
        raise Refused(404, "this list is forgotten; ask for it again", "view-forgotten")
    return view


def _rows(state: State, numbers: tuple[int, ...]) -> list[Any]:
    import numpy as np

    from mm2energon.review.model import View

    some = np.array(numbers[:_MOST_ROWS], dtype=np.int32)
    return state.review.rows(View("", some), 0, len(some)) if len(some) else []


def _edited(item: Item, turns: list[TurnAsked]) -> Sample:
    """The sample with other turns; what a turn knew besides its text stays where its role is the same."""
    if item.sample is None:
        raise InputError(f"{item.origin}: cannot be read, and so not edited; mend it in the file")
    old = dict(enumerate(item.sample.turns))
    new = [
        replace(old[place], text=turn.text)
        if place in old and old[place].role == turn.role
        else Turn(turn.role, turn.text)
        for place, turn in enumerate(turns)
    ]
    return replace(item.sample, turns=tuple(new))
