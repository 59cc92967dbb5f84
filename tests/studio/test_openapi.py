"""Whatever is sent to an address of the API is answered, never with a fault of the server."""

import contextlib
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis.errors import Unsatisfiable
from media import write_clip, write_image
from schemathesis import GenerationMode
from starlette.testclient import httpx  # under whatever name it is installed

from studio.opened import HEADERS, chat, entry, opened, write_entries

#: Of each operation; the examples are the same each time. More of them: STUDIO_EXAMPLES=500.
EXAMPLES = int(os.environ.get("STUDIO_EXAMPLES", "5"))
#: These begin processes that fetch, ask and train; what they are given is tested beside them.
BEGINS_WORK = {
    ("POST", "/api/chat/videos"),
    ("POST", "/api/chat/asks"),
    ("POST", "/api/finetune/runs"),
    ("POST", "/api/finetune/runs/{run_id}/resume"),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("openapi") / "data"
    root.mkdir()
    write_clip(root / "clip.mp4", frames=4)
    write_image(root / "a.png")
    entries = [entry("video", "clip.mp4"), entry("image", "a.png"), {"conversations": chat()}, {"odd": 1}, 17]
    with opened(write_entries(root / "d.json", entries), reviewers=("", "anna")) as page:
        yield page


def operations(page):
    schema = schemathesis.openapi.from_dict(page.get("/api/openapi.json").json())
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if (one.method.upper(), one.path) not in BEGINS_WORK]


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
            if answer.status_code >= 400 and answer.content and answer.request.method != "HEAD":
                assert set(answer.json()["error"]) == {"message", "code"}

        with contextlib.suppress(Unsatisfiable):  # in some requests there is nothing to get wrong
            ask()
    assert seen > 10 * EXAMPLES
    assert page.get("/api/session").status_code == 200


def test_every_address_of_the_api_is_described(page):
    described = {one.path for one in operations(page)} | {path for _, path in BEGINS_WORK}
    assert {"/api/session", "/api/views", "/api/items/{number}", "/api/decisions", "/api/exports"} <= described
