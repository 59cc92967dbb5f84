"""Described: what `/api/openapi.json` says of the routes, with the one shape that all errors have."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_TEXT = {"type": "string"}
_FIELDS = {"message": {**_TEXT, "description": "for people"}, "code": {**_TEXT, "description": "for programs"}}
_ERROR = {"type": "object", "properties": _FIELDS, "required": list(_FIELDS), "additionalProperties": False}
_SCHEMA = {"type": "object", "properties": {"error": _ERROR}, "required": ["error"], "additionalProperties": False}
_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
#: Of any route: who may not come in, what is not there, what cannot be done; and what the disk, or we, did wrong.
_ANSWERS = {
    "4XX": {"description": "It is refused, or is not there.", "content": _CONTENT},
    "5XX": {"description": "It could not be done.", "content": _CONTENT},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of an app, made once."""
    if app.openapi_schema is None:
        about = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for operations in about["paths"].values():
            for operation in operations.values():
                answers = operation["responses"]
                answers.pop("422", None)  # as FastAPI has them, which is not as they are answered
                answers.update(_ANSWERS)
        schemas = about["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Error"] = _SCHEMA
        app.openapi_schema = about
    return app.openapi_schema
