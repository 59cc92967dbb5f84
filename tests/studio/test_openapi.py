"""Whatever is sent to an address of the API is answered, never with a fault of the server."""

import contextlib
import os
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis.errors import Unsatisfiable
from media import write_clip, write_image
from mm2energon.errors import InputError
from mm2energon.studio import assets
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import httpx  # under whatever name it is installed

from studio.opened import HEADERS, chat, entry, opened, write_entries

#: What an answer is has been told: its status, its type, its shape.
AS_DESCRIBED = [status_code_conformance, content_type_conformance, response_schema_conformance]
#: Of each operation; the examples are the same each time. More of them: STUDIO_EXAMPLES=500.
EXAMPLES = int(os.environ.get("STUDIO_EXAMPLES", "5"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:  # nothing is fetched, and no run begins, whatever is asked for
        patch.setattr("mm2energon.videochat.intake.download", _no_work)
        patch.setattr("mm2energon.tuning.runs.Runs._spawn", _no_work)
        yield from _page(tmp_path_factory)


def _no_work(*_given, **_more):
    raise InputError("nothing is begun here")


def _page(tmp_path_factory):
    root = tmp_path_factory.mktemp("openapi") / "data"
    root.mkdir()
    write_clip(root / "clip.mp4", frames=4)
    write_image(root / "a.png")
    entries = [entry("video", "clip.mp4"), entry("image", "a.png"), {"conversations": chat()}, {"odd": 1}, 17]
    with opened(write_entries(root / "d.json", entries), reviewers=("", "anna")) as page:
        yield page


def operations(page):
    schema = schemathesis.openapi.from_dict(page.get("/api/openapi.json").json())
    return [result.ok() for result in schema.get_all_operations()]


def send(page, case):
    """The answer to a generated request, sent as the page would."""
    given = case.as_transport_kwargs(headers=HEADERS)
    about = {key: given[key] for key in ("method", "url", "params", "json", "headers", "cookies") if given.get(key)}
    if given.get("data") is not None:
        about["content" if isinstance(given["data"], (bytes, str)) else "data"] = given["data"]
    try:
        return page.request(**about)
    except httpx.InvalidURL:  # longer than any client sends
        reject()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_of_any_shape_is_a_fault_of_the_server(page, mode):
    seen = 0
    for operation in operations(page):

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            nonlocal seen
            answer = send(page, case)
            seen += 1
            assert answer.status_code < 500 or answer.json()["error"]["code"] == "not-installed", answer.text
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"message", "code"}
            case.validate_response(answer, checks=AS_DESCRIBED)

        with contextlib.suppress(Unsatisfiable):  # in some requests there is nothing to get wrong
            ask()
    assert seen > 10 * EXAMPLES
    assert page.get("/api/session").status_code == 200


def test_every_address_of_the_api_is_described(page):
    about = page.get("/api/openapi.json").json()
    described = {(method.upper(), path) for path, methods in about["paths"].items() for method in methods}
    assert described == {(one.method.upper(), one.path) for one in operations(page)}
    sources = [path.read_text() for path in assets.PAGE.parent.glob("*.py") if path.stem != "assets"]
    assert len(described) == len(re.findall(r"@routes\.(?:get|post|put|delete|patch)\(", "".join(sources))) > 40
    assert {path for _, path in described if not path.startswith("/api/")} == set()


@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "/api/session"), ("GET", "/api/decisions"), ("TRACE", "/api/session"), ("OPTIONS", "/api/items/0")]
    + [("DELETE", "/api/exports"), ("PATCH", "/api/chat/videos")],
)
def test_a_method_that_an_address_does_not_have_is_said_with_those_that_it_has(page, method, path):
    answer = page.request(method, path, headers=HEADERS)
    assert answer.status_code == 405 and answer.headers["allow"]
