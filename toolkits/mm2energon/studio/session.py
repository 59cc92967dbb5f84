"""Session: what a page asks first: which data, who reviews, what can be done."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

import mm2energon
from mm2energon.review.templates import TEMPLATES
from mm2energon.studio import finetune, trying
from mm2energon.studio.answers import Json
from mm2energon.studio.state import State
from mm2energon.targets import TARGETS
from mm2energon.tokens import MODELS

#: What pairs are mostly rejected for, to choose from.
REASONS = ("wrong answer", "not in the video", "unclear question", "duplicate", "bad media", "wrong language", "unsafe")


def router(state: State) -> APIRouter:
    """The route of the session."""
    routes = APIRouter(prefix="/api")

    @routes.get("/session")
    def session() -> Response:
        return Json(_told(state))

    return routes


def _told(state: State) -> dict[str, Any]:
    settings, review = state.settings, state.review
    return {
        "version": mm2energon.__version__,
        "dataset": {
            "name": review.name,
            "kind": review.kind,
            "path": str(review.path),
            "root": str(review.root),
            "count": review.count,
            "total": review.total,
            "indexed": review.is_indexed,
            "problem": review.problem,
            "journal": str(review.journal_path),
        },
        "reviewers": list(review.reviewers),
        "reviewer": review.reviewers[0],
        "targets": list(TARGETS),
        "target": settings.target,
        "model": settings.tokens_model,
        "models": list(MODELS),
        "interval": settings.interval_seconds,
        "templates": [
            {"name": row.name, "title": row.title, "legacy": row.is_legacy, "lines": row.lines}
            for row in TEMPLATES.values()
        ],
        "output_roots": [str(root) for root in settings.output_roots],
        "reasons": list(REASONS),
        "features": {
            "chat": trying.readiness(settings),
            "finetune": finetune.readiness(state),
        },
        "needs_token": state.gate.is_closed,
    }
