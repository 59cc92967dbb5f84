"""Answers: JSON that holds any text there is, and errors that say what a person needs and nothing of the machine."""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mm2energon.errors import DependencyError, InputError, SampleError, ToolkitError

_log = logging.getLogger(__name__)

#: Codes of errors, by status, where nothing says more.
_CODES = {400: "bad-request", 401: "needs-token", 403: "refused", 404: "not-found", 405: "no-such-method"}
_CODES |= {408: "too-slow", 413: "too-large", 422: "bad-request"}
#: Statuses of what is wrong with a medium, where another one says more than "cannot be processed".
_STATUSES = {"missing-media": 404, "outside-root": 403, "media-url": 403}
_MOST_FAULTS = 5


def encoded(content: Any) -> bytes:
    """JSON, in ASCII where UTF-8 cannot hold it: data may have half of a surrogate pair, NaN, or endless integers."""
    try:
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return json.dumps(_finite(content), allow_nan=False).encode("ascii")


class Json(JSONResponse):
    """An answer of plain values."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return encoded(content)


class Refused(Exception):
    """What is answered instead of what was asked for: a status, a code for programs, a message for people."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code or _CODES.get(status, "error")


def error_answer(status: int, message: str, code: str = "") -> Json:
    """An error as the page understands it."""
    return Json({"error": {"message": message, "code": code or _CODES.get(status, "error")}}, status)


def crash_told(error: Exception) -> dict[str, str]:
    """What is told of what went wrong in us: an id, under which the log has the trace."""
    name = secrets.token_hex(4)
    _log.error("error %s", name, exc_info=error)
    return {"code": "crash", "message": f"something went wrong in the studio; its log has it as error {name}"}


def add_error_answers(app: FastAPI) -> None:
    """Let errors of all kinds be answered in one shape."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ToolkitError, _ours)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _refused(_request: Request, error: Exception) -> Response:
    return error_answer(getattr(error, "status", 400), str(error), getattr(error, "code", ""))


async def _ours(_request: Request, error: Exception) -> Response:
    if isinstance(error, DependencyError):
        return error_answer(501, str(error), "not-installed")
    if isinstance(error, SampleError):
        return error_answer(_STATUSES.get(error.code, 422), str(error), error.code)
    return error_answer(400, str(error), "bad-input" if isinstance(error, InputError) else "")


async def _disk(_request: Request, error: Exception) -> Response:
    if not isinstance(error, OSError) or error.errno is None:
        return Json({"error": crash_told(error)}, 500)
    _log.error("%s: %s", error.filename or "a file", error.strerror)
    place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "a file"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return error_answer(404, f"{place}: is not there any more", "missing-media")
    message = f"{place}: {error.strerror}; nothing was saved; make room, or let the studio write there, and try again"
    return error_answer(507, message, "disk")


async def _http(_request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 400)
    answer = error_answer(status, str(getattr(error, "detail", error)))
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _invalid(_request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    told = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:_MOST_FAULTS]]
    return error_answer(422, "; ".join(told) or "the request is malformed", "bad-request")


def _finite(value: Any) -> Any:
    """A value without what JSON has no word for: NaN and the infinities become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value
