"""Mix: so many entries of each file, groups whole or out, the same for the same seed."""

from __future__ import annotations

import json
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mm2energon import cli
from mm2energon.pipeline.mix_choice import nearest

from pipeline.making import chat, image_entry, set_aside, text_entry, tree_bytes, tree_times, write_json


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def mix(*arguments):
    return cli.main(["mix", *map(str, arguments)])


def mixed(path):
    return json.loads(path.read_text())


def texts(root, name, count, **more):
    """A file of entries of which no two say the same; its ids."""
    ids = [f"{name}-{number}" for number in range(count)]
    write_json(root / f"{name}.json", [text_entry(number, id=one, **more) for number, one in enumerate(ids)])
    return ids


def ids_of(path):
    return [entry["id"] for entry in mixed(path)]


def test_counts_are_exact_and_entries_stay_in_order_file_by_file(tmp_path):
    a, b = texts(tmp_path, "a", 50), texts(tmp_path, "b", 30)
    assert mix("out.json", "a.json:20", "b.json") == 0
    taken = ids_of(tmp_path / "out.json")
    assert taken == [one for one in a if one in taken] + b
    assert len(taken) == 50
    assert taken[:20] != a[:20]


def test_percents_are_of_each_file_or_of_a_total(tmp_path):
    texts(tmp_path, "a", 60)
    texts(tmp_path, "b", 30)
    assert mix("out.json", "a.json:25", "b.json:10", "--percent") == 0
    assert [sum(one[0] == name for one in ids_of(tmp_path / "out.json")) for name in "ab"] == [15, 3]
    assert mix("out.json", "a.json:66.7", "b.json:33.3", "--total", 31) == 0
    assert [sum(one[0] == name for one in ids_of(tmp_path / "out.json")) for name in "ab"] == [21, 10]
    assert mix("out.json", "a.json:7", "b.json:50%") == 0
    assert [sum(one[0] == name for one in ids_of(tmp_path / "out.json")) for name in "ab"] == [7, 15]


def test_the_choice_depends_on_the_seed_and_what_is_there_not_on_its_order(tmp_path):
    texts(tmp_path, "a", 50)
    entries = mixed(tmp_path / "a.json")
    write_json(tmp_path / "b.json", entries[::-1])
    assert (
        mix("one.json", "a.json:20") == mix("two.json", "b.json:20") == mix("three.json", "a.json:20", "--seed", 7) == 0
    )
    assert sorted(ids_of(tmp_path / "one.json")) == sorted(ids_of(tmp_path / "two.json"))
    assert sorted(ids_of(tmp_path / "one.json")) != sorted(ids_of(tmp_path / "three.json"))


def test_a_shuffled_mix_holds_the_same_in_another_order(tmp_path):
    texts(tmp_path, "a", 40)
    texts(tmp_path, "b", 40)
    assert mix("plain.json", "a.json:30", "b.json") == 0
    assert mix("one.json", "a.json:30", "b.json", "--shuffle") == 0
    assert mix("two.json", "a.json:30", "b.json", "--shuffle", "--seed", 42) == 0
    plain, one, two = (ids_of(tmp_path / f"{name}.json") for name in ("plain", "one", "two"))
    assert one == two != plain
    assert sorted(one) == sorted(plain)


def test_what_shares_a_medium_or_a_text_stays_together(tmp_path):
    entries = [image_entry(f"p{number // 4}.jpg", id=number) for number in range(80)]
    entries += [{"id": 80 + number, "conversations": chat(f"q{number // 4}")} for number in range(80)]
    chain = [image_entry("p0.jpg", "p1.jpg", id=160)]
    write_json(tmp_path / "a.json", entries + chain)
    assert mix("out.json", "a.json:76") == 0
    taken = set(ids_of(tmp_path / "out.json"))
    assert len(taken) == 76
    for first in range(8, 160, 4):
        assert len(taken & {first, first + 1, first + 2, first + 3}) in (0, 4)
    assert len(taken & {*range(8), 160}) in (0, 9)


def test_ways_to_write_one_path_are_one_medium(tmp_path):
    paths = ["a.jpg", "./a.jpg", "x/../a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    write_json(tmp_path / "a.json", [image_entry(path, id=number) for number, path in enumerate(paths)])
    for count in (1, 2, 4):
        assert mix("out.json", f"a.json:{count}") == 0
        taken = set(ids_of(tmp_path / "out.json"))
        assert len(taken) == count
        assert len(taken & {0, 1, 2}) in (0, 3)


def test_groups_may_be_those_of_an_id_or_none(tmp_path):
    entries = [image_entry("blank.jpg", id=number // 3, n=number) for number in range(30)]
    write_json(tmp_path / "a.json", entries)
    assert mix("out.json", "a.json:7", "--group-by", "none") == 0
    assert len(one := [entry["n"] for entry in mixed(tmp_path / "out.json")]) == 7
    write_json(tmp_path / "b.json", entries[::-1])
    assert mix("out.json", "b.json:7", "--group-by", "none") == 0
    assert mix("out.json", "a.json:12", "--group-by", "id") == 0
    ids = ids_of(tmp_path / "out.json")
    assert len(ids) == 12
    assert {ids.count(one) for one in ids} == {3}
    assert one != list(range(7))


@pytest.mark.parametrize(("speaker", "text"), [("from", "value"), ("role", "content")])
def test_entries_that_say_different_things_are_not_joined(tmp_path, speaker, text):
    turns = [[{speaker: "user", text: f"q{number}"}, {speaker: "assistant", text: "a"}] for number in range(9)]
    write_json(tmp_path / "a.json", [{"id": number, "conversations": one} for number, one in enumerate(turns)])
    assert mix("out.json", "a.json:4") == 0
    assert len(ids_of(tmp_path / "out.json")) == 4


def test_percents_take_the_nearest_number_and_of_a_half_the_greater(tmp_path):
    for count, taken in ((5, 3), (7, 4), (9, 5)):
        texts(tmp_path, f"n{count}", count)
        assert mix("out.json", f"n{count}.json:50%") == 0
        assert len(ids_of(tmp_path / "out.json")) == taken


def test_percents_that_look_like_those_of_the_mix_are_said_to_be_of_each_file(tmp_path, capsys):
    texts(tmp_path, "a", 10)
    texts(tmp_path, "b", 10)
    assert mix("out.json", "a.json:70", "b.json:30", "--percent") == 0
    assert "with --total N they are of the mix" in capsys.readouterr().out
    assert mix("out.json", "a.json:70", "b.json:30", "--total", 10) == 0
    assert mix("out.json", "a.json:70%", "b.json:20%") == 0
    assert "--total" not in capsys.readouterr().out


def test_files_of_several_folders_are_said_to_need_one_root(tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    texts(tmp_path, "a", 2)
    texts(tmp_path / "sub", "b", 2)
    assert mix("out.json", "a.json", "sub/b.json") == 0
    assert "must have one root" in capsys.readouterr().out
    assert mix("out.json", "a.json") == 0
    assert "one root" not in capsys.readouterr().out


def test_where_groups_do_not_allow_the_number_the_nearest_is_taken_and_said(tmp_path, capsys):
    write_json(tmp_path / "a.json", [image_entry(f"p{number // 5}.jpg", id=number) for number in range(20)])
    assert mix("out.json", "a.json:8") == 0
    assert len(ids_of(tmp_path / "out.json")) == 10
    assert "10 of 20 from a.json; 8 were asked for" in capsys.readouterr().out


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.data())
def test_no_choice_of_groups_comes_nearer(sizes, data):
    count = data.draw(st.integers(0, sum(sizes)))
    sums = {sum(some) for size in range(len(sizes) + 1) for some in combinations(sizes, size)}
    taken = sum(size for size, one in zip(sizes, nearest(sizes, count), strict=True) if one)
    assert abs(taken - count) == min(abs(one - count) for one in sums)


def test_many_groups_of_many_sizes_come_out_exactly():
    sizes = [number % 97 + 3 for number in range(30_000)]
    for count in (4, 1_000_003, sum(sizes) - 4):
        taken = nearest(sizes, count)
        assert sum(size for size, one in zip(sizes, taken, strict=True) if one) == count


def test_one_huge_group_does_not_make_the_others_slow():
    sizes = [3, 900_000, 3, 3, 2_000_000, 3]
    assert sum(size for size, one in zip(sizes, nearest(sizes, 900_007), strict=True) if one) == 900_006


def test_everything_of_an_entry_stays_and_media_keys_become_plural(tmp_path):
    write_json(
        tmp_path / "a.json", [{"id": 1 << 70, "image": "a.jpg", "conversations": chat("<image>q"), "x": {"y": [1.5]}}]
    )
    (tmp_path / "b.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "q"}], "id": "b"}) + "\n")
    assert mix("out.jsonl", "a.json", "b.jsonl") == 0
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [
        {"id": 1 << 70, "images": ["a.jpg"], "conversations": chat("<image>q"), "x": {"y": [1.5]}},
        {"id": "b", "conversations": [{"from": "human", "value": "q"}]},
    ]


def test_each_entry_says_its_file_when_asked(tmp_path):
    (tmp_path / "sub").mkdir()
    texts(tmp_path, "a", 2)
    texts(tmp_path / "sub", "a", 2)
    assert mix("out.json", "a.json", "sub/a.json", "--source-key", "source") == 0
    assert [entry["source"] for entry in mixed(tmp_path / "out.json")] == ["a.json"] * 2 + ["sub/a.json"] * 2


def test_the_account_is_over_all_inputs_and_adds_up(tmp_path, capsys):
    texts(tmp_path, "a", 10)
    write_json(tmp_path / "b.json", [7, *[text_entry(number, id=number) for number in range(5)], {}])
    assert mix("out.json", "a.json:4", "b.json") == 3
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["read"] == 17
    assert report["written"] == {"a.json": 4, "b.json": 5}
    assert report["set_aside"] == {"not-an-object": 1, "unknown-format": 1}
    assert report["left_out"] == {"a.json": 6, "b.json": 0}
    assert [line["origin"] for line in set_aside(tmp_path)] == ["b.json[0]", "b.json[6]"]
    assert "left out          6" in capsys.readouterr().out
    assert mix("out.json", "a.json:4", "b.json", "--allow-set-aside") == 0


def test_a_finished_mix_that_is_made_again_changes_nothing_and_says_so(tmp_path, capsys):
    texts(tmp_path, "a", 10)
    assert mix("out.json", "a.json:4", "--shuffle") == 0
    before = tree_bytes(tmp_path), tree_times(tmp_path)
    assert "complete already" not in capsys.readouterr().out
    assert mix("out.json", "a.json:4", "--shuffle") == 0
    assert "complete already" in capsys.readouterr().out
    assert (tree_bytes(tmp_path), tree_times(tmp_path)) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["out.json", "none.json"], "no such file"),
        (["out.json", "a.json", "./a.json"], "twice"),
        (["out.json", "a.json:11"], "has 10 entries that can be written, 11 were asked for"),
        (["out.json", "a.json:2.5"], "whole number"),
        (["out.json", "a.json:-1"], "whole number"),
        (["out.json", "a.json:inf"], "whole number"),
        (["out.json", "a.json:120", "--percent"], "no percentage"),
        (["out.json", "a.json:nan%"], "no percentage"),
        (["out.json", "a.json:60", "--total", 5], "60 percent together"),
        (["out.json", "a.json:6", "--total", 5, "--counts"], "needs a share in percent"),
        (["out.json", "a.json:0"], "take nothing"),
        (["a.json", "a.json"], "one of the inputs"),
        (["kept.json", "a.json"], "was not written by mm2energon"),
        (["out.json", "a.json", "--source-key", "conversations"], "has that key already"),
        (["out.json", "a.json", "--source-key", "images"], "means something else"),
        (["out.json", "a.json", "--source-key", ""], "means something else"),
        (["out.json", "empty.json"], "holds no entries"),
        (["out.json", "a.json", "empty.json"], "empty.json: holds no entries"),
        (["out.json", "a.json", "odd.jsonl"], "odd.jsonl: none of its entries can be written (the first: odd.jsonl:1"),
        (["out.json", "a.json", "rows.parquet"], "mm2energon convert makes an annotation file"),
        (["out.json", "."], "mm2energon convert makes an annotation file"),
    ],
)
def test_what_cannot_be_mixed_is_refused_and_nothing_is_written(tmp_path, arguments, said, capsys):
    texts(tmp_path, "a", 10)
    write_json(tmp_path / "kept.json", [])
    write_json(tmp_path / "empty.json", [])
    (tmp_path / "odd.jsonl").write_text('{"instruction": "q", "output": "a"}\n')
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    before = tree_bytes(tmp_path)
    assert mix(*arguments) == 1
    assert said in capsys.readouterr().err
    assert tree_bytes(tmp_path) == before


@pytest.mark.parametrize("url", ["s3://bucket/a.json", "msc://profile/a.jsonl:20%"])
def test_a_url_is_refused_as_it_was_written(tmp_path, url, capsys):
    assert cli.main(["mix", str(tmp_path / "mix.json"), url]) == 1
    assert f"{url}: is a URL; a file of this machine was expected here" in capsys.readouterr().err


def test_a_name_with_a_colon_is_a_file_where_there_is_one(tmp_path):
    texts(tmp_path, "a:2", 3)
    (tmp_path / "a:2.json").rename(tmp_path / "a:2")
    assert mix("out.json", "a:2") == 0
    assert len(ids_of(tmp_path / "out.json")) == 3
