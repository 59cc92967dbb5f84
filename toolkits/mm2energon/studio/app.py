"""App: the server of a studio, put together from the routes of its parts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

import mm2energon
from mm2energon.studio import (
    assets,
    changes,
    chat,
    checking,
    exporting,
    finetune,
    frames,
    items,
    login,
    media,
    previews,
    session,
)
from mm2energon.studio.answers import Json, add_error_answers
from mm2energon.studio.described import describe
from mm2energon.studio.security import Guard
from mm2energon.studio.settings import Settings
from mm2energon.studio.state import State, open_state


def create_app(settings: Settings) -> FastAPI:
    """The server; the data are opened at once, and closed when it shuts down.

    Raises:
        InputError: the data cannot be opened.
    """
    ends = contextlib.ExitStack()
    state = ends.enter_context(open_state(settings))

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with ends:
            yield

    app = FastAPI(
        title="mm2energon studio",
        version=mm2energon.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # they would load scripts of others
        redoc_url=None,
        redirect_slashes=False,  # one address for one thing
        default_response_class=Json,
        lifespan=lifespan,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.state.studio = state
    add_error_answers(app)
    _include_routes(app, state)
    app.add_middleware(Guard, settings=settings, gate=state.gate)
    return app


def _include_routes(app: FastAPI, state: State) -> None:
    app.include_router(login.router(state.gate))
    for part in (session, items, media, previews, frames, checking, changes, exporting, chat, finetune):
        app.include_router(part.router(state))
    app.include_router(assets.router())  # the last: it answers whatever is left
