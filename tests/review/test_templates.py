"""The templates: every format that is written is one, and each file has a name of its own."""

import pytest
from mm2energon.errors import InputError
from mm2energon.formats import FORMATS
from mm2energon.review.templates import TEMPLATES, choose


def test_every_format_is_a_template_and_every_template_a_format():
    assert TEMPLATES.keys() == FORMATS.keys()


def test_each_file_has_a_name_of_its_own():
    names = [template.file_name(split) for template in TEMPLATES.values() for split in ("train", "val", "test")]
    assert len(set(names)) == 3 * len(TEMPLATES)
    assert len({name.rpartition(".")[0] for name in names}) == 3 * len(TEMPLATES)


def test_files_are_lines_where_their_readers_read_lines():
    lines = {name for name, template in TEMPLATES.items() if template.file_name("train").endswith(".jsonl")}
    assert lines >= {"internvl", "ms-swift", "video-chatgpt", "sharegemini", "videochat-finetune", "legacy-qwen"}
    assert lines.isdisjoint({"videollama2", "minicpm-v", "llava-next-video", "video-instruct", "t2vid-synthetic"})


def test_the_three_of_the_first_tool_keep_its_file_names():
    chosen = choose(["all-legacy"])
    assert [template.file_name("train") for template in chosen.rows] == [
        "model_train_videollama2.jsonl",
        "model_train_llava_next.jsonl",
        "model_train_qwen.jsonl",
    ]
    assert not chosen.is_all


def test_all_is_every_template_and_each_is_chosen_once():
    assert [template.name for template in choose(["qwen-finetune", "all", "all-legacy"]).rows][0] == "qwen-finetune"
    assert {template.name for template in choose(["all", "llava"]).rows} == TEMPLATES.keys()
    assert len(choose(["all", "llava"]).rows) == len(TEMPLATES)


def test_a_name_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"--template qwen: no such template; one of all, all-legacy, videollama2"):
        choose(["qwen"])
