"""Tokens and warnings of an entry are those of the commands that write it."""

import json
import tarfile

import pytest
from media import write_clip, write_image
from mm2energon import cli

from studio.opened import chat, entry, opened, write_entries


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    write_clip(root / "clip.mp4", frames=31, rate=10, size=(160, 96))
    write_image(root / "a.png", size=(56, 84))
    write_image(root / "small.png", size=(8, 8))
    return root


def check(page, number=0, **query):
    answer = page.get(f"/api/items/{number}/check", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_tokens_are_those_that_shard_notes_for_the_model(root):
    entries = [entry("image", "a.png"), entry("video", "clip.mp4"), {"conversations": chat()}]
    write_entries(root / "dataset.json", entries)
    with opened(root / "dataset.json") as page:
        found = [check(page, number)["tokens"] for number in range(3)]
    options = ["--dataset-root", str(root), "--json", "dataset.json", "--model", "qwen2.5-vl", "--target", "crude"]
    assert (
        cli.main(["shard", *options, "--extract", "--time-interval", "0.5", "--train-split", "1", "--val-split", "0"])
        == 0
    )
    noted = {}
    for path in (root / "wds").glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    text = json.load(tar.extractfile(member))
                    noted[len(text["images"]), len(text["videos"])] = text["tokens"]
    for counted, kinds in zip(found, [(1, 0), (0, 1), (0, 0)], strict=True):
        assert counted["total"] == counted["visual"] + counted["text"]
        assert {key: counted[key] for key in ("visual", "text")} == {
            key: noted[kinds][key] for key in ("visual", "text")
        }


def test_warnings_and_tokens_are_those_of_the_target_and_the_model(root):
    system = {"conversations": [{"from": "system", "value": "Be brief."}, *chat()]}
    with opened(write_entries(root / "d.json", [system, entry("image", "small.png"), entry("image", "a.png")])) as page:
        first = check(page)
        assert [warning["code"] for warning in first["warnings"]] == ["system-turn"]
        assert first["targets"]["pai-v1"]["code"] == "system-turn" and first["targets"]["pai-v2"] is None
        assert check(page, target="pai-v2")["warnings"] == []
        assert [warning["code"] for warning in check(page, 1)["warnings"]] == ["image-too-small"]
        assert check(page, 2)["warnings"] == [] and set(check(page, 2)["targets"].values()) == {None}
        assert check(page, 2)["model"] == "qwen2.5-vl"
        assert check(page, 2, model="minicpm-v-2.6")["tokens"] != check(page, 2)["tokens"]
        for query in ("model=x", "target=x"):
            assert page.get(f"/api/items/0/check?{query}").status_code == 400


BROKEN = [
    (entry("image", "none.png"), "missing-media"),
    (entry("image", "../x.png"), "outside-root"),
    (entry("video", "broken.mp4"), "unreadable-video"),
    ({"conversations": chat("<image>q")}, "tag-count"),
    ({"x": 1}, "unknown-format"),
    ({"conversations": chat("\ud800")}, "not-unicode"),
    ({"conversations": chat("q", "")}, "no-answer"),
    (17, "not-an-object"),
    (entry("image", "none.png", question="<image>q", answer=""), "missing-media"),
]


def test_what_is_wrong_with_an_entry_is_told_with_its_reason(root):
    (root / "broken.mp4").write_bytes((root / "clip.mp4").read_bytes()[:1500])
    with opened(write_entries(root / "d.json", [broken for broken, _ in BROKEN])) as page:
        for number, (_, code) in enumerate(BROKEN):
            found = check(page, number)
            assert code in [warning["code"] for warning in found["warnings"]]
            assert found["targets"]["pai-v1"]["message"]
        codes = [warning["code"] for warning in found["warnings"]]  # of the last, several, each once
        assert codes[:1] == ["tag-count"] and len(codes) == len(set(codes))


def test_an_edited_sample_is_checked_as_it_is_now(root):
    with opened(write_entries(root / "d.json", [entry("image", "a.png", question="<image>q")])) as page:
        assert [warning["code"] for warning in check(page)["warnings"]] == ["tag-count"]
        turns = [{"role": "user", "text": "<image>q"}, {"role": "assistant", "text": "a"}]
        assert page.post("/api/items/0/decision", json={"do": "edit", "turns": turns}).status_code == 200
        assert check(page)["warnings"] == []


def test_a_sample_of_a_shard_is_checked_by_what_the_record_holds(root):
    write_entries(root / "dataset.json", [entry("image", "a.png"), entry("video", "clip.mp4")])
    with opened(root / "dataset.json") as page:
        wanted = sorted(check(page, number)["tokens"]["visual"] for number in range(2))
    assert (
        cli.main(["shard", "--dataset-root", str(root), "--target", "crude", "--extract", "--time-interval", "0.5"])
        == 0
    )
    with opened(root / "wds") as page:
        found = [check(page, number) for number in range(2)]
        assert sorted(one["tokens"]["visual"] for one in found) == wanted
        assert all(one["targets"]["crude"] is None for one in found)
