"""Entries are listed, looked at and decided on; what is decided is saved before the answer."""

import errno
import json

import pytest

from studio.opened import chat, entry, opened, write_entries


def entries(count):
    return [
        {"id": n, "conversations": chat(f"Question {n}?", f"Answer {n}"), "category": "ab"[n % 2]} for n in range(count)
    ]


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    return write_entries(root / "d.json", entries(10))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A page on which no test changes anything."""
    root = tmp_path_factory.mktemp("items") / "data"
    root.mkdir()
    with opened(write_entries(root / "d.json", entries(10))) as page:
        yield page


def rows(page, **wanted):
    view = page.post("/api/views", json=wanted).json()
    return page.get(f"/api/views/{view['id']}/rows").json()["rows"]


def decide(page, number, do, **more):
    answer = page.post(f"/api/items/{number}/decision", json={"do": do, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_entries_are_listed_by_what_is_asked_for(shared):
    view = shared.post("/api/views", json={}).json()
    assert view["count"] == 10 and view["counts"]["category"] == {"a": 5, "b": 5}
    assert [row["number"] for row in rows(shared, category=["a"])] == [0, 2, 4, 6, 8]
    assert [row["number"] for row in rows(shared, text="Answer 7")] == [7]
    assert [row["number"] for row in rows(shared, sort="-number")] == list(range(9, -1, -1))
    some = shared.get(f"/api/views/{view['id']}/rows?offset=4&limit=2").json()
    assert ([row["question"] for row in some["rows"]], some["count"]) == (["Question 4?", "Question 5?"], 10)


def test_a_list_that_is_forgotten_is_said_to_be_so(shared):
    answer = shared.get("/api/views/none/rows")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "view-forgotten")


def test_an_entry_is_told_with_all_that_is_known_of_it(shared):
    item = shared.get("/api/items/3").json()
    assert item["sample"]["turns"] == [
        {"role": "user", "text": "Question 3?"},
        {"role": "assistant", "text": "Answer 3"},
    ]
    assert (item["status"], item["edited"], item["category"], item["origin"]) == ("pending", False, "b", "d.json[3]")
    assert item["entry"] == entries(10)[3] and item["media"] == [] and item["original"] is None


def test_decisions_can_be_undone_and_done_again(data):
    with opened(data) as page:
        assert decide(page, 0, "accept")["status"] == "accepted"
        assert decide(page, 0, "reject", reason="wrong answer")["reason"] == "wrong answer"
        undone = page.post("/api/items/0/undo", json={}).json()
        assert (undone["status"], undone["can_redo"], undone["changed"]) == ("accepted", True, True)
        assert page.post("/api/items/0/redo", json={}).json()["status"] == "rejected"
        assert page.post("/api/items/1/undo", json={}).json()["changed"] is False
        assert page.post("/api/undo", json={}).json() == {"numbers": [0]}


def test_an_edit_accepts_and_keeps_what_the_page_does_not_know_of(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    odd = {"conversations": [{**turn, "weight": 1} for turn in chat()], "images": ["x.png"], "more": [1, {"a": None}]}
    with opened(write_entries(root / "d.json", [odd])) as page:
        decide(page, 0, "reject", reason="dull")
        turns = [{"role": "user", "text": "<image>new"}, {"role": "assistant", "text": "newer"}]
        item = decide(page, 0, "edit", turns=turns, category="c")
    assert (item["status"], item["edited"], item["category"]) == ("accepted", True, "c")
    assert item["sample"]["turns"] == turns and item["sample"]["images"] == ["x.png"]
    assert item["sample"]["extra"] == {"more": [1, {"a": None}]}
    assert [turn["text"] for turn in item["original"]["turns"]] == ["What is this?", "A thing."]
    line = json.loads((root / "d.review.jsonl").read_text().splitlines()[-1])
    assert [turn["weight"] for turn in line["sample"]["conversations"]] == [1, 1]


def test_many_are_decided_at_once_and_all_of_a_list(data):
    with opened(data) as page:
        assert page.post("/api/decisions", json={"numbers": [1, 2, 3], "do": "accept"}).json() == {"changed": 3}
        view = page.post("/api/views", json={"category": ["a"]}).json()["id"]
        body = {"view": view, "do": "reject", "reason": "r"}
        assert page.post("/api/decisions", json=body).json() == {"changed": 5}
        counts = page.post("/api/views", json={}).json()["counts"]["status"]
        assert (counts["accepted"], counts["rejected"], counts["pending"]) == (2, 5, 3)


def test_decisions_are_there_when_the_studio_is_opened_again_and_the_data_are_as_they_were(data):
    before = data.read_bytes()
    with opened(data) as page:
        decide(page, 4, "accept")
    with opened(data) as page:
        assert [row["number"] for row in rows(page, status=["accepted"])] == [4]
    assert data.read_bytes() == before


def test_reviewers_decide_each_for_themselves_and_strangers_do_not(data):
    with opened(data, reviewers=("anna", "ben")) as page:
        decide(page, 0, "accept", reviewer="anna")
        item = decide(page, 0, "reject", reviewer="ben")
        assert item["by_reviewer"] == {"anna": "accepted", "ben": "rejected"} and item["status"] == "disputed"
        assert decide(page, 0, "settle-accept", reviewer="ben")["status"] == "accepted"
        for path in ("items/0/decision", "decisions", "items/0/undo", "undo"):
            answer = page.post(f"/api/{path}", json={"do": "accept", "numbers": [1], "reviewer": "mallory"})
            assert answer.status_code in (400, 422)
        assert page.get("/api/items/0?reviewer=mallory").status_code == 400


def test_shares_and_agreement_are_told(data):
    with opened(data, reviewers=("anna", "ben")) as page:
        shares = page.post("/api/assignments", json={"reviewers": ["anna", "ben"], "per_entry": 2}).json()["shares"]
        assert shares == {"anna": 10, "ben": 10}
        for number, (anna, ben) in enumerate([("accept", "accept"), ("reject", "reject"), ("accept", "reject")]):
            decide(page, number, anna, reviewer="anna")
            decide(page, number, ben, reviewer="ben")
        (pair,) = page.get("/api/agreement").json()["pairs"]
        assert pair["count"] == 3 and abs(pair["agreement"] - 2 / 3) < 1e-9 and abs(pair["kappa"] - 0.4) < 1e-9


def test_changes_of_others_are_told_to_who_asks(data):
    with opened(data) as page:
        since = page.get("/api/changes").json()["since"]
        assert page.get(f"/api/changes?since={since}").json()["numbers"] == []
        decide(page, 5, "accept")
        with opened(data) as other:
            decide(other, 6, "reject")
        found = page.get(f"/api/changes?since={since}").json()
        assert sorted(found["numbers"]) == [5, 6] and found["count"] == 10 and found["indexed"] is True
        assert page.get("/api/items/6").json()["status"] == "rejected"


def test_entries_that_are_alike_are_told_with_their_rows(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    same = [entry("image", "x.png"), entry("image", "x.png", question="Other?"), entry("image", "y.png")]
    with opened(write_entries(root / "d.json", same)) as page:
        groups = page.get("/api/items/0/alike").json()
    assert [row["number"] for row in groups["same media"]] == [1]
    assert [row["number"] for row in groups["same question"]] == [2]


def test_figures_are_told(data):
    with opened(data) as page:
        decide(page, 0, "accept")
        assert page.get("/api/statistics").json()


def test_whatever_an_entry_is_it_is_shown(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    odd = [
        {"conversations": chat("<script>alert(1)</script>", "\x00\x1b[31m\u202e")},
        {"conversations": chat("\ud800 half", "a"), "id": "\udfff"},
        {"conversations": chat(), "n": float("nan"), "i": float("inf"), "big": 10**40},
        {"conversations": chat("x" * 500_000, "y")},
        {"__proto__": {"x": 1}, "conversations": chat()},
        {"conversations": [[]]},
        *({}, [], None, 17, "text", 1.5, True),
    ]
    with opened(write_entries(root / "d.json", odd)) as page:
        assert page.post("/api/views", json={}).json()["count"] == len(odd) == len(rows(page))
        for number in range(len(odd)):
            item = page.get(f"/api/items/{number}")
            assert item.status_code == 200
            assert (item.json()["sample"] is None) == (item.json()["error"] is not None)
            assert page.get(f"/api/items/{number}/check").status_code == 200
            assert decide(page, number, "reject", reason="odd \u2028 <b>")["status"] == "rejected"


def test_a_broken_entry_is_not_edited(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    (root / "d.jsonl").write_text('{"broken": \n' + json.dumps({"conversations": chat()}) + "\n")
    with opened(root / "d.jsonl") as page:
        assert page.get("/api/items/0").json()["error"]["code"] == "broken-json"
        body = {"do": "edit", "turns": [{"role": "user", "text": "x"}]}
        assert page.post("/api/items/0/decision", json=body).status_code == 400
        assert decide(page, 0, "reject")["status"] == "rejected"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("items/0/decision", {"do": "destroy"}),
        ("items/0/decision", {"do": "edit", "turns": []}),
        ("items/0/decision", {"do": "edit", "turns": [{"role": "god", "text": "x"}]}),
        ("items/0/decision", {"do": "accept", "surprise": 1}),
        ("items/0/decision", [1]),
        ("decisions", {"do": "accept"}),
        ("decisions", {"do": "accept", "numbers": [0], "view": "1"}),
        ("decisions", {"do": "accept", "numbers": [-1]}),
        ("decisions", {"do": "accept", "numbers": [2**40]}),
        ("views", {"status": "accepted"}),
        ("views", {"text": 5}),
        ("assignments", {"reviewers": []}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_what_was_expected(shared, path, body):
    answer = shared.post(f"/api/{path}", json=body)
    assert answer.status_code == 422 and answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("views", {"status": ["nonsense"]}),
        ("views", {"medium": ["smell"]}),
        ("views", {"sort": "beauty"}),
        ("assignments", {"reviewers": ["a"], "per_entry": 2}),
        ("decisions", {"do": "accept", "numbers": [0, 99]}),
    ],
)  # fmt: skip
def test_names_that_are_none_and_entries_that_are_not_there_change_nothing(shared, path, body):
    assert shared.post(f"/api/{path}", json=body).status_code in (400, 404, 422)
    assert rows(shared, status=["accepted"]) == []


def test_a_decision_that_cannot_be_saved_says_so_and_changes_nothing(shared, monkeypatch):
    def full(*_some, **_more):
        raise OSError(errno.ENOSPC, "No space left on device", "/data/d.review.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr(shared.app.state.studio.review, "decide", full)
        answer = shared.post("/api/items/0/decision", json={"do": "accept"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk")
    assert "d.review.jsonl: No space left on device; nothing was saved" in answer.json()["error"]["message"]
    assert shared.get("/api/items/0").json()["status"] == "pending"


def test_halves_of_surrogates_in_an_edit_are_refused_and_nothing_changes(shared):
    body = json.dumps({"do": "edit", "turns": [{"role": "user", "text": "\ud800"}]}).encode()
    answer = shared.post("/api/items/0/decision", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert shared.get("/api/items/0").json()["status"] == "pending"


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"X-Studio": ""}])
def test_a_page_of_another_site_decides_nothing(shared, headers):
    assert shared.post("/api/items/0/decision", json={"do": "accept"}, headers=headers).status_code == 403
    assert shared.get("/api/items/0").json()["status"] == "pending"
