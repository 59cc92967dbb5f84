"""The page is served from the package alone; a session says what there is."""

import pytest
from mm2energon.studio import assets

from studio.opened import chat, entry, opened, write_entries


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("app") / "data"
    root.mkdir()
    with opened(write_entries(root / "d.json", [{"conversations": chat()}]), reviewers=("anna", "ben")) as page:
        yield page


def test_the_page_comes_with_the_types_that_its_policy_asks_for(page):
    assert page.get("/").headers["content-type"] == "text/html; charset=utf-8"
    for path in assets.PAGE.rglob("*.*"):
        answer = page.get(f"/{path.relative_to(assets.PAGE).as_posix()}")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == assets._TYPES[path.suffix]


def test_the_page_holds_nothing_that_its_policy_forbids():
    html = (assets.PAGE / "index.html").read_text(encoding="utf-8")
    for bad in ("<script>", "style=", "onclick", "http://", "https://", "javascript:"):
        assert bad not in html
    for path in assets.PAGE.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        for bad in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert bad not in text, f"{path.name}: {bad}"


def test_a_page_that_has_not_changed_is_not_sent_again(page):
    tag = page.get("/").headers["etag"]
    assert page.get("/", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "//etc/passwd", "/page", "/app.py", "/%00", "/nope.js"]
    + ["/index.html/", "/docs", "/redoc", "/openapi.json", "/api", "/api/", "/api/nope", "/\\..\\app.py"],
)
def test_nothing_else_is_served(page, path):
    assert page.get(path).status_code == 404


def test_the_session_says_what_there_is(page):
    told = page.get("/api/session").json()
    dataset = told["dataset"]
    assert (dataset["name"], dataset["kind"], dataset["count"], dataset["total"]) == ("d.json", "json", 1, 1)
    assert dataset["journal"].endswith("d.review.jsonl")
    assert (told["reviewers"], told["reviewer"], told["needs_token"]) == (["anna", "ben"], "anna", False)
    assert told["target"] in told["targets"] and told["reasons"]
    assert {"name", "title", "legacy", "lines"} == set(told["templates"][0])
    assert set(told["features"]) == {"chat", "finetune"}


def test_a_method_that_is_none_is_refused(page):
    assert page.put("/api/session").status_code == 405
    assert page.post("/").status_code == 405


def test_what_is_kept_of_videos_is_nobody_elses(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "cache").mkdir(mode=0o755)
    (tmp_path / "cache").chmod(0o755)
    with opened(write_entries(tmp_path / "data/d.json", [entry("image", "a.jpg")]), cache=tmp_path / "cache"):
        pass
    with opened(tmp_path / "data/d.json", cache=tmp_path / "new/cache"):
        pass
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o755  # which is its owner's affair
    for made in ("cache/frames", "cache/previews", "new/cache", "new/cache/frames"):
        assert (tmp_path / made).stat().st_mode & 0o777 == 0o700
