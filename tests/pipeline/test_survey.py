"""Survey: what it counts is what was put in, at any target, of all samples or of some."""

import json
import os
import pickle
import struct
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media import write_image
from mm2energon.errors import InputError
from mm2energon.pipeline import survey_numbers, survey_plan
from mm2energon.pipeline.survey import survey
from mm2energon.pipeline.survey_numbers import Spread, Tally
from mm2energon.pipeline.survey_page import page_of
from mm2energon.pipeline.survey_plan import SurveyOptions, spread_places
from mm2energon.pipeline.survey_read import read_places
from mm2energon.pipeline.survey_told import json_of, lines_of
from mm2energon.pipeline.survey_wording import worded_alike
from mm2energon.shards.index import idx_path
from mm2energon.shards.reader import read_index
from mm2energon.targets import TARGETS
from PIL import Image
from shards import making
from shards.making import pai_v1_record, write_dataset
from tokenizers import Tokenizer, models, pre_tokenizers

from pipeline.making import (
    chat,
    image_entry,
    run_shard,
    shard_of,
    stored,
    text_entry,
    video_entry,
    write_frames,
    write_images,
    write_json,
)


def values(found, name):
    return found.spreads[name].ordered()


@pytest.fixture
def root(tmp_path):
    """Two pictures of 280x140, one of 56x56, a video of 4 frames at 2 a second, and text."""
    for name in ("a.jpg", "b.png"):
        write_image(tmp_path / name, size=(280, 140), number=len(name))
    write_image(tmp_path / "c.jpg", size=(56, 56), number=9)
    talk = [*chat("<image><image>one two three", "four"), *chat("five six?", "seven eight, nine")]
    entries = [
        {"conversations": talk, "images": ["a.jpg", "b.png"], "source": "first"},
        image_entry("c.jpg", source="second"),
        video_entry(write_frames(tmp_path, "v", 4, size=(280, 140))),
        text_entry(),
    ]
    write_json(tmp_path / "dataset.json", entries)
    return tmp_path


@pytest.mark.parametrize("target", list(TARGETS))
def test_what_is_counted_is_what_was_put_in(root, target):
    run_shard(root, "--target", target)
    found = survey(root / "wds")
    assert (found.samples, found.read, found.unread, found.warnings) == (4, 4, 0, {})
    assert {split: about[1] for split, about in found.splits.items()} == {"train": 3, "val": 1, "test": 0}
    assert dict(found.kinds) == {"images": 2, "videos": 1, "text alone": 1}
    assert dict(found.sources.top(9)) == {"first": 1, "second": 1, "": 2}
    assert values(found, "turns") == [2, 2, 2, 4]
    assert values(found, "question_words") == [2, 2, 3, 3, 6]
    assert values(found, "answer_words") == [1, 1, 2, 2, 3]
    assert values(found, "images") == [1, 2]
    assert values(found, "image_pixels") == [56 * 56, 280 * 140, 280 * 140]
    assert values(found, "image_aspect") == [1, 2, 2]
    assert values(found, "image_bytes") == sorted((root / name).stat().st_size for name in ("a.jpg", "b.png", "c.jpg"))
    assert dict(found.image_sizes.top(9)) == {(280, 140): 2, (56, 56): 1}
    assert (values(found, "video_frames"), values(found, "video_fps"), values(found, "video_seconds")) == (
        [4],
        [2],
        [2],
    )
    assert dict(found.frame_sizes.top(9)) == {(280, 140): 1}
    assert values(found, "shard_bytes") == sorted(path.stat().st_size for path in (root / "wds").glob("*.tar"))


def test_formats_are_told_split_by_split(root):
    entries = json.loads((root / "dataset.json").read_text())
    entries.append({"conversations": chat("<image>"), "image": "c.jpg"})
    write_json(root / "dataset.json", entries)
    run_shard(root)
    found = survey(root / "wds")
    counts = {name: sum(splits.values()) for name, splits in found.formats.items()}
    assert counts == {"sharegpt": 4, "llava": 1} and json_of(found)["formats"] == found.formats
    assert json_of(found)["accounts"][0]["formats"] == counts
    assert b"Annotation formats" in page_of(found) and any(line.startswith("sharegpt") for line in lines_of(found))


@pytest.mark.parametrize("noted", [None, 3, {"train": 3}, {"train": {"llava": "x"}}])
def test_formats_that_nobody_noted_are_no_error(root, noted):
    run_shard(root)
    path = root / "wds/.nv-meta/mm2energon.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "formats": noted}))
    found = survey(root / "wds")
    assert (found.formats, found.read) == ({}, 4) and page_of(found)


def test_visual_tokens_are_those_of_28_pixels_a_side_and_two_marks(root):
    run_shard(root)
    # Two images of 10x5 tokens, one of 2x2; two pairs of frames, which have 128 tokens at least each.
    tokens = values(survey(root / "wds"), "visual_tokens")
    assert tokens[:2] == [4 + 2, 2 * (50 + 2)] and tokens[2] >= 2 * 128


def test_an_unusual_option_for_the_rate_is_known(root):
    run_shard(root, "--second-per-grid-ts", "pai")
    assert values(survey(root / "wds"), "video_fps") == [2]


def test_the_share_of_long_samples_is_told(tmp_path):
    large = write_image(tmp_path / "large.png", size=(1400, 1400)).name  # 2,500 tokens and two marks
    entries = [image_entry(large, large), image_entry(*[large] * 4), text_entry(1), text_entry(2)]
    shard_of(tmp_path, entries, "--val-split", 0)
    told = json_of(survey(tmp_path / "wds"))["longer_than"]
    assert {limit: told[limit]["tokens"] for limit in told} == {"4096": 0.5, "8192": 0.25, "16384": 0, "32768": 0}
    assert {limit: told[limit]["visual_tokens"] for limit in told} == {"4096": 1, "8192": 0.5, "16384": 0, "32768": 0}


def test_the_model_decides_what_a_picture_costs(root):
    run_shard(root)
    costs = {
        model: values(survey(root / "wds", SurveyOptions(model=model)), "visual_tokens")
        for model in ("qwen2.5-vl", "qwen3-vl", "minicpm-v-2.6")
    }
    assert len({tuple(one) for one in costs.values()}) == 3


def test_words_of_scripts_without_spaces_are_characters(tmp_path):
    shard_of(tmp_path, [{"conversations": chat("图片里有什么？", "don't know: état-major")}])
    found = survey(tmp_path / "wds")
    assert (values(found, "question_words"), values(found, "answer_words")) == ([6], [3])


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 50), max_size=8), st.integers(0, 60), st.integers(0, 9)
)
def test_samples_are_spread_over_the_shards_and_are_as_many_as_asked(counts, most, seed):
    places = spread_places(counts, most=most, seed=seed)
    total = sum(counts.values())
    assert list(places) == list(counts)
    assert sum(map(len, places.values())) == (min(total, most) if most else total)
    for name, some in places.items():
        assert list(some) == sorted(set(some)) and all(0 <= place < counts[name] for place in some)
    assert spread_places(counts, most=most, seed=seed) == places


def test_no_stretch_of_a_large_dataset_goes_unread():
    counts = {f"{n}.tar": 1000 for n in range(100)}
    places = spread_places(counts, most=500, seed=1)
    assert {len(some) for some in places.values()} == {5}
    assert spread_places(counts, most=500, seed=2) != places


def test_of_a_large_dataset_some_are_read_and_it_says_so(tmp_path):
    names = write_images(tmp_path, 4)
    shard_of(
        tmp_path, [image_entry(names[n % 4], id=n) for n in range(40)], "--max-samples-per-tar", 8, "--val-split", 0
    )
    found = survey(tmp_path / "wds", SurveyOptions(most=10, shown=3))
    assert (found.samples, found.chosen, found.read) == (40, 10, 10)
    assert found.splits["train"][1] == 40
    assert found.spreads["turns"].count == 10 and len(found.cards) == 3
    assert {where.shard for where, _, _ in found.cards} <= set(read_index(tmp_path / "wds").counts)
    again = survey(tmp_path / "wds", SurveyOptions(most=10, shown=3))
    assert json_of(again) == json_of(found)
    other = survey(tmp_path / "wds", SurveyOptions(most=10, shown=3, seed=7))
    assert json_of(other)["shown"] != json_of(found)["shown"]


def test_each_shard_is_told_with_its_bytes(root):
    run_shard(root, "--max-samples-per-tar", 1)
    lost, *_, last = sorted((root / "wds").glob("*.tar"))
    lost.unlink()
    found = survey(root / "wds")
    assert json_of(found)["shards"] == {
        **{path.name: {"samples": 1, "bytes": path.stat().st_size} for path in (root / "wds").glob("*.tar")},
        lost.name: {"samples": 1, "bytes": 0},
    }
    assert last.name.encode() in page_of(found) and lost.name.encode() in page_of(found)


def test_audio_is_measured_and_its_copies_are_found(tmp_path):
    for name, data in (("a", b"one"), ("b", b"two two"), ("c", b"one")):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt " + data)
    entries = [{"conversations": chat(f"<audio>{name}?"), "audios": [f"{name}.wav"]} for name in "abc"]
    shard_of(tmp_path, entries, "--target", "pai-v2", "--train-split", 1, "--val-split", 1)
    found = survey(tmp_path / "wds")
    assert values(found, "audio_bytes") == [19, 19, 23] and values(found, "audios") == [1, 1, 1]
    (group,) = found.copies.audios.repeated()
    assert sorted(where.key.partition("-")[0] for where in group.places) == ["00000000", "00000002"]
    assert ("medium-in-two-splits" in found.warnings) == (len(group.splits) == 2)
    assert json_of(found)["copies"]["audios"]["different"] == 2 and b"Bytes of an audio file" in page_of(found)


def test_workers_find_the_same(root):
    run_shard(root, "--max-samples-per-tar", 1)
    assert json_of(survey(root / "wds", workers=2)) == json_of(survey(root / "wds"))


def test_a_long_shard_is_looked_at_in_pieces_and_nothing_is_lost(root, monkeypatch):
    run_shard(root, "--val-split", 0)
    expected = json_of(survey(root / "wds"))
    monkeypatch.setattr(survey_plan, "_AT_A_TIME", 1)
    assert json_of(survey(root / "wds")) == expected and len(expected["shown"]) == 4


def test_samples_by_their_index_are_those_that_other_readers_find(root):
    run_shard(root)
    for path in (root / "wds").glob("*.tar"):
        expected = [one for one in stored(root / "wds") if one.shard == path.name]
        found = list(read_places(path, range(len(expected)), count=len(expected)))
        assert [key for _, key, _, _ in found] == [one.key for one in expected]
        assert [json.loads(record["json"]) for _, _, record, _ in found] == [one.text for one in expected]


@pytest.mark.parametrize("damage", ["gone", "cut", "of another"])
def test_an_index_that_does_not_belong_to_the_shard_is_done_without(tmp_path, damage):
    write_dataset(tmp_path)
    index = idx_path(tmp_path / "train-shard-000000.tar")
    if damage == "gone":
        index.unlink()
    elif damage == "cut":
        index.write_bytes(index.read_bytes()[:-3])
    else:
        index.write_bytes(idx_path(tmp_path / "val-shard-000000.tar").read_bytes())
    assert survey(tmp_path).unread == 0


def test_offsets_that_lead_into_a_sample_cost_those_samples(tmp_path):
    write_dataset(tmp_path)
    index = idx_path(tmp_path / "train-shard-000000.tar")
    offsets = list(struct.unpack("<6Q", index.read_bytes()))
    offsets[2] += 512
    index.write_bytes(struct.pack("<6Q", *offsets))
    found = survey(tmp_path)
    assert (found.read, found.unread, found.warnings["bad-part"].count) == (12, 2, 2)


def test_of_a_shard_that_is_cut_off_what_is_before_is_read(tmp_path):
    write_dataset(tmp_path)
    path = tmp_path / "train-shard-000000.tar"
    offsets = struct.unpack("<6Q", idx_path(path).read_bytes())
    path.write_bytes(path.read_bytes()[: offsets[3] - 700])
    found = survey(tmp_path)
    assert (found.read, found.unread, found.warnings["bad-part"].count) == (11, 3, 1)


def test_a_shard_that_is_not_there_costs_its_samples_alone(tmp_path):
    write_dataset(tmp_path)
    (tmp_path / "val-shard-000000.tar").unlink()
    found = survey(tmp_path)
    assert (found.read, found.unread) == (10, 4)
    assert "val-shard-000000.tar" in found.warnings["bad-part"].places[0][0]


def test_counts_of_samples_that_nobody_has_are_not_believed(tmp_path):
    write_dataset(tmp_path)
    info = tmp_path / ".nv-meta/.info.json"
    counts = json.loads(info.read_text())
    counts["shard_counts"]["test-shard-000000.tar"] = 10**30
    info.write_text(json.dumps(counts))
    found = survey(tmp_path, SurveyOptions(most=0))
    assert found.read == 14 and found.unread > 10**9


class Planted:
    """A record whose pickle would run something."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('it was run')",))


def test_a_hostile_pickle_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setitem(
        making.RECORDS,
        "pai-v1",
        lambda n: {**pai_v1_record(n), **({"jpgs": pickle.dumps([Planted()])} if n == 3 else {})},
    )
    write_dataset(tmp_path)
    found = survey(tmp_path)
    assert (found.read, found.unread, found.warnings["bad-part"].count) == (13, 1, 1)


def test_a_picture_that_cannot_be_decoded_is_told_and_shown_as_such(tmp_path, monkeypatch):
    monkeypatch.setitem(
        making.RECORDS, "pai-v1", lambda n: {**pai_v1_record(n), **({"jpgs": pickle.dumps([b"no"])} if n == 3 else {})}
    )
    write_dataset(tmp_path)
    found = survey(tmp_path)
    assert found.unread == 0
    assert found.warnings["unreadable-image"].places[0][0] == "train-shard-000000.tar/00000003"
    card = next(card for where, _, card in found.cards if where.key == "00000003")
    assert card.images[0].fault and not card.images[0].jpeg and card.videos[0][0][0].jpeg


def copies_dataset(root):
    """Twelve different pictures, near copies of two, and an exact copy of a third."""
    root.mkdir(exist_ok=True)
    names = []
    for number in range(12):
        pixels = Image.effect_noise((6, 6), 90).resize((240, 180), Image.Resampling.BICUBIC)
        colour = Image.merge("RGB", [pixels, pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT), pixels.rotate(180)])
        colour.save(root / f"{number}.png")
        names.append(f"{number}.png")
    for number in (1, 2):
        with Image.open(root / f"{number}.png") as one:
            one.resize((120, 90)).save(root / f"small{number}.jpg", quality=60)
            one.save(root / f"anew{number}.jpg", quality=80)
        names += [f"small{number}.jpg", f"anew{number}.jpg"]
    (root / "same3.png").write_bytes((root / "3.png").read_bytes())
    return [*names, "same3.png"]


def test_near_copies_are_found_and_no_others(tmp_path):
    names = copies_dataset(tmp_path)
    shard_of(tmp_path, [image_entry(name, id=name.replace(".", "_")) for name in names], "--val-split", 0)
    found = survey(tmp_path / "wds")
    groups = [sorted(where.key.split("-", 1)[1] for where in group.places) for group, _ in found.near]
    assert sorted(groups) == [["1_png", "anew1_jpg", "small1_jpg"], ["2_png", "anew2_jpg", "small2_jpg"]]
    assert found.near_count == 2 and all(one.jpeg for _, pictures in found.near for one in pictures)
    repeated = found.copies.images.repeated()
    assert [sorted(where.key.split("-", 1)[1] for where in group.places) for group in repeated] == [
        ["3_png", "same3_png"]
    ]


def test_near_copies_of_videos_are_found(tmp_path):
    videos = []
    for number in range(3):
        name = write_frames(tmp_path, f"v{number}", 4, first=100 * number, size=(96, 96))
        videos.append(name)
    (tmp_path / "anew").mkdir()
    (tmp_path / "anew.json").write_text('{"fps": "2.0"}')
    for path in sorted((tmp_path / "v1").iterdir()):
        with Image.open(path) as frame:
            frame.save(tmp_path / "anew" / path.name, quality=70)
    shard_of(tmp_path, [video_entry(name) for name in [*videos, "anew.mp4"]], "--val-split", 0)
    found = survey(tmp_path / "wds")
    assert [[where.place for where in group.places] for group, _ in found.near] == [[1, 3]]


def test_a_medium_under_two_names_in_two_splits_is_warned_of(tmp_path):
    names = [f"{n}.jpg" for n in range(20)]
    for name in names:
        write_image(tmp_path / name, number=5)
    entries = [{**image_entry(name), "conversations": chat(f"<image>{name}")} for name in names]
    shard_of(tmp_path, entries, "--train-split", 1, "--val-split", 1)
    found = survey(tmp_path / "wds")
    assert found.warnings["medium-in-two-splits"].count == 1
    ((where, what),) = found.warnings["medium-in-two-splits"].places
    assert "20 times, in train and val, also " in what and {where[:3], what.partition("also ")[2][:3]} == {"tra", "val"}


def test_samples_that_say_the_same_of_the_same_are_warned_of(tmp_path):
    names = write_images(tmp_path, 2)
    one = image_entry(names[0])
    loud = {**one, "conversations": chat("<image>WHAT  is this", "a picture")}
    shard_of(tmp_path, [one, loud, image_entry(names[1])], "--val-split", 0)
    assert survey(tmp_path / "wds").warnings["same-sample"].count == 1


def test_what_the_reader_would_drop_is_warned_of(tmp_path):
    write_image(tmp_path / "tiny.png", size=(8, 8))
    shard_of(tmp_path, [image_entry("tiny.png"), text_entry(1)], "--target", "bridge", "--val-split", 0)
    assert survey(tmp_path / "wds").warnings == {}
    from mm2energon import cli

    assert cli.main(["retarget", str(tmp_path / "wds"), "--target", "pai-v1"]) == 0
    assert list(survey(tmp_path / "wds").warnings) == ["image-too-small"]


def test_questions_are_counted_by_what_they_ask(tmp_path):
    entries = [text_entry(n) for n in range(3)]
    entries += [{"conversations": chat(question, "Yes")} for question in ("Who is it?", "who is  it", "WHO IS IT !")]
    shard_of(tmp_path, entries, "--val-split", 0)
    found = survey(tmp_path / "wds")
    assert found.questions.top(1) == [("who is it", 3)] and len(found.questions) == 4


def test_questions_that_are_worded_nearly_the_same_are_shown_together(tmp_path):
    asked = ["Describe the image in detail.", "describe THIS image in detail", "Describe the image in detial"]
    asked += [
        "How many cats are there?",
        "How many dogs are there?",
        "What is 5 plus 3?",
        "What is 5 plus 4?",
        "图里有什么？",
    ]
    shard_of(tmp_path, [{"conversations": chat(one, "Yes")} for one in [*asked, asked[0]]], "--val-split", 0)
    found = survey(tmp_path / "wds")
    (group,) = found.reworded
    assert sorted(group) == sorted([("describe the image in detail", 2), *((one.lower(), 1) for one in asked[1:3])])
    (told,) = json_of(found)["copies"]["questions"]
    assert told["samples"] == 4 and told["texts"][0] == ["describe the image in detail", 2]
    assert b"describe this image in detail" in page_of(found)


def test_questions_that_are_all_different_are_in_no_group():
    texts = [f"{number * 7919} things of {chr(97 + number % 26) * 9}" for number in range(700)]
    assert worded_alike(texts) == [] and worded_alike([]) == [] and worded_alike(["", "a", "\ud800"]) == []


def test_what_runs_set_aside_is_told_with_examples(tmp_path):
    shard_of(tmp_path, [text_entry(1), {"id": "bad"}, image_entry("gone.jpg")], "--val-split", 0)
    (account,) = survey(tmp_path / "wds").accounts
    assert (account.command, account.of, account.read, account.written) == ("shard", "wds", 3, 1)
    assert sum(account.set_aside.values()) == 2 and account.set_aside["missing-media"] == 1
    assert "gone.jpg" in account.examples["missing-media"][0]


@pytest.mark.parametrize(
    "content",
    [
        '{"by": "mm2energon", "of": 3, "read": "x"}',
        "[]",
        "\0",
        '{"by":"mm2energon","of":".","read":1,"set_aside":{"a":-1},"set_aside_file":"../x"}',
    ],
)
def test_a_report_that_is_none_of_ours_is_no_error(root, content):
    run_shard(root)
    (root / "wds/report.json").write_text(content)
    assert survey(root / "wds").read == 4


def test_a_report_that_cannot_be_read_is_warned_of(root):
    run_shard(root)
    (root / "wds/report.json").unlink()
    os.mkfifo(root / "wds/report.json")  # nobody may wait for its other end
    (root / "report.other.json").mkdir()
    found = survey(root / "wds")
    assert (found.accounts, found.warnings["unreadable-account"].count, found.read) == ([], 2, 4)


def test_figures_stay_small_and_stay_right_at_the_ends(monkeypatch):
    monkeypatch.setattr(survey_numbers, "_MOST_VALUES", 100)
    monkeypatch.setattr(survey_numbers, "_MOST_NAMES", 100)
    spread, tally = Spread(), Tally()
    for number in range(10_000):
        spread.add(number)
        tally.add(number)
        tally.add("often")
    assert len(spread.ordered()) == 100 and (spread.count, spread.least, spread.most) == (10_000, 0, 9999)
    assert spread.total == sum(range(10_000)) and 3000 < spread.ordered()[50] < 7000
    assert len(tally) <= 101 and tally.top(1) == [("often", 10_000)] and tally.is_cut and tally.total == 20_000


def test_the_terminal_is_told_the_essentials(root):
    run_shard(root)
    lines = lines_of(survey(root / "wds"))
    assert lines[0].split()[:2] == ["train", "3"] and "█" in lines[0]
    assert any("8k 0 %" in line and "estimated" in line for line in lines)
    assert "Frames of a video            4 (all 1)" in lines


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_lines_fit_the_terminal(tmp_path, columns):
    names = ["a" * 200, "图" * 200, "\x1b[31mred", "short"]
    entries = [{"conversations": chat("one " * 3**n, "two"), "source": names[n % 4]} for n in range(8)]
    shard_of(tmp_path, entries, "--val-split", 0)
    told = lines_of(survey(tmp_path / "wds"), columns=columns)
    lines = [line for line in told if not line.startswith(("warning", "         first"))]
    wide = [sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line) for line in lines]
    assert max(wide) <= columns and any("█" in line for line in lines)
    bars = [line for line in lines if line.startswith(("aaa", "图图", "\\x1b", "short"))]
    ends = {sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in line.partition("█")[0]) for line in bars}
    assert len(bars) == 4 and len(ends) == 1


def test_what_is_no_dataset_is_an_error_before_anything_else(tmp_path):
    with pytest.raises(InputError):
        survey(tmp_path)
    with pytest.raises(InputError):
        survey(tmp_path / "none")


def test_that_all_entries_were_set_aside_is_told(tmp_path):
    shard_of(tmp_path, [{"x": 1}, {"x": 2}])
    with pytest.raises(InputError, match=r"all 2 entries were set aside \(unknown-format 2\), see set_aside.jsonl"):
        survey(tmp_path / "wds")


def test_a_dataset_of_which_nothing_can_be_read_has_its_page(root):
    run_shard(root)
    for path in (root / "wds").glob("*.tar"):
        path.write_bytes(b"")
    found = survey(root / "wds")
    assert (found.read, found.unread) == (0, 4) and b"bad-part" in page_of(found) and json_of(found)["read"] == 0
    assert b'id="tokens"' not in page_of(found) and lines_of(found)


def test_a_tokenizer_that_is_not_there_is_told_before_anything_is_read(root):
    run_shard(root)
    with pytest.raises(InputError):
        survey(root / "wds", replace(SurveyOptions(), tokenizer=root / "none"))


@pytest.fixture
def words(tmp_path):
    """A tokenizer of which every word is a token."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_text_is_counted_by_the_tokenizer_that_is_given(tmp_path, words):
    shard_of(tmp_path, [{"conversations": chat("one two three", "four five")}])
    options = SurveyOptions(model="qwen3-vl", tokenizer=words)
    found = survey(tmp_path / "wds", options)
    # Five words, two roles, and the two marks of each turn; line breaks are no words.
    assert values(found, "tokens") == [11] and json_of(found)["text_tokens"] == "counted"
    with pytest.raises(InputError, match="no token of it"):
        survey(tmp_path / "wds", replace(options, model="minicpm-v-2.5"))


def test_text_that_is_no_unicode_costs_its_sample_alone(tmp_path, words, monkeypatch):
    chatted = b'{"conversations": [{"from": "human", "value": "\\ud83d"}, {"from": "gpt", "value": "a"}]}'
    monkeypatch.setitem(
        making.RECORDS, "pai-v1", lambda n: {**pai_v1_record(n), **({"json": chatted} if n == 3 else {})}
    )
    write_dataset(tmp_path / "wds")
    found = survey(tmp_path / "wds", SurveyOptions(tokenizer=words))
    assert (found.read, found.unread, found.warnings["not-unicode"].count) == (14, 0, 1)
    assert b"\\ud83d" in page_of(found) and json_of(found)["measures"]["turns"]["count"] == 14
