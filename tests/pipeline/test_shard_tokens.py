"""Shards with what each sample costs a model noted in its json, and without those that cost too much."""

import pytest
from mm2energon import cli
from tokenizers import Tokenizer, models, pre_tokenizers

from pipeline.making import (
    chat,
    image_entry,
    set_aside,
    shard_of,
    stored,
    text_entry,
    tree_bytes,
    video_entry,
    write_frames,
    write_images,
)


@pytest.fixture
def entries(tmp_path):
    """A picture of 256 tokens and 2 marks, a video of 7 frames of which 6 are 3 x 256 and 2, and text."""
    write_images(tmp_path, 1, size=(448, 448))
    write_frames(tmp_path, "v", 7, size=(448, 448))
    return [image_entry("p0.jpg", tokens="mine"), video_entry("v.mp4"), text_entry()]


@pytest.fixture
def words(tmp_path):
    """A tokenizer of which every word is a token."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.mark.parametrize("target", ["pai-v1", "pai-v2", "bridge"])
def test_the_json_of_each_sample_says_what_it_costs(tmp_path, entries, target):
    options = ("--target", target, "--val-split", 0, "--model", "qwen2-vl", "--odd-frames", "cut")
    status, samples = shard_of(tmp_path, entries, *options)
    assert status == 0
    tokens = [sample.text["tokens"] for sample in samples]
    assert [one["visual"] for one in tokens] == [258, 770, 0]
    assert {(one["model"], one["estimated"]) for one in tokens} == {("qwen2-vl", True)}
    assert samples[0].text["extra"] == {"tokens": "mine"}


def test_text_is_counted_by_the_tokenizer_that_is_given(tmp_path, entries, words):
    options = ("--val-split", 0, "--model", "qwen3-vl", "--tokenizer", words)
    status, samples = shard_of(tmp_path, [{"conversations": chat("one two three", "four five")}], *options)
    # Five words, two roles, and the two marks of each turn; line breaks are no words.
    assert (status, samples[0].text["tokens"]["text"], samples[0].text["tokens"]["estimated"]) == (0, 11, False)


def test_the_tokenizer_of_another_model_is_refused(tmp_path, entries, words, capsys):
    options = ("--model", "minicpm-v-2.5", "--tokenizer", words)
    assert shard_of(tmp_path, entries, *options)[0] == 1
    assert "<|start_header_id|> is no token of it" in capsys.readouterr().err


def test_what_costs_more_is_set_aside_with_its_entry(tmp_path, entries):
    options = ("--val-split", 0, "--model", "qwen2-vl", "--max-tokens", 400)
    status, samples = shard_of(tmp_path, entries, *options)
    assert (status, len(samples)) == (3, 2)
    (line,) = set_aside(tmp_path / "wds")
    assert (line["reason"], line["entry"]) == ("too-many-tokens", entries[1])


def test_the_frames_that_are_stored_are_counted(tmp_path, entries):
    options = ("--val-split", 0, "--model", "qwen2-vl", "--max-tokens", 400, "--max-frames", 2)
    status, samples = shard_of(tmp_path, entries, *options)
    assert (status, [sample.text["tokens"]["visual"] for sample in samples]) == (0, [258, 258, 0])


def test_pictures_that_are_enlarged_are_counted_as_they_are_stored(tmp_path):
    write_images(tmp_path, 1, size=(1000, 14))
    options = ("--val-split", 0, "--model", "qwen2-vl", "--enlarge-small-images")
    status, (sample,) = shard_of(tmp_path, [image_entry("p0.jpg")], *options)
    # 2000 x 28 pixels: 71 tokens in a row, and two marks.
    assert (status, sample.text["tokens"]["visual"]) == (0, 73)


def test_without_the_option_the_bytes_are_those_of_a_dataset_that_nobody_counted(tmp_path, entries):
    shard_of(tmp_path, entries)
    plain = [sample.text for sample in stored(tmp_path / "wds")]
    assert all("tokens" not in text for text in plain)
    assert (
        cli.main(["shard", "--dataset-root", str(tmp_path), "--output", str(tmp_path / "b"), "--model", "idefics3"])
        == 0
    )
    counted = [sample.text for sample in stored(tmp_path / "b")]
    assert all(text.pop("tokens")["model"] == "idefics3" for text in counted) and counted == plain


def test_a_finished_run_is_left_alone_and_another_model_is_another_dataset(tmp_path, entries, capsys):
    options = ("--model", "qwen2-vl")
    assert shard_of(tmp_path, entries, *options)[0] == 0
    before = tree_bytes(tmp_path)
    assert shard_of(tmp_path, entries, *options)[0] == 0 and tree_bytes(tmp_path) == before
    assert "was complete already" in capsys.readouterr().out
    assert shard_of(tmp_path, entries, "--model", "qwen3-vl")[0] == 1
    assert "--restart" in capsys.readouterr().err


def test_verify_against_the_sources_finds_no_fault_in_samples_that_were_counted_or_set_aside(tmp_path, entries, capsys):
    assert shard_of(tmp_path, entries, "--val-split", 0, "--model", "qwen2-vl", "--max-tokens", 400)[0] == 3
    root = str(tmp_path)
    assert cli.main(["verify", f"{root}/wds", "--skip-energon", "--against", root, "--json", "dataset.json"]) == 0, (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "options",
    [("--max-tokens", 9), ("--frame-pixels", 9), ("--tokenizer", "x"), ("--model", "idefics3", "--tokenizer", "x")],
)
def test_an_option_that_says_too_little_is_one_line_and_writes_nothing(tmp_path, entries, options, capsys):
    status, samples = shard_of(tmp_path, entries, *options)
    error = capsys.readouterr().err
    assert (status, samples, error.count("\n")) == (1, [], 1) and f"{options[-2]} {options[-1]}".split()[0] in error
    assert not (tmp_path / "wds" / "report.json").exists()
