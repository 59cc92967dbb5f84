"""Text is counted as the model's own template and tokenizer have it, and estimated by script without one."""

from __future__ import annotations

import sys

import pytest
from mm2energon.errors import DependencyError, InputError
from mm2energon.sample import Turn
from mm2energon.tokens import MODELS, estimate, load_tokenizer, text_tokens
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>"]
TURNS = (Turn("user", "<image>\nIs it é?<video>"), Turn("assistant", "Yes."))
#: What jinja makes of a conversation: the models' own templates, and an image that no text stands for.
TEMPLATES = {
    "qwen2-vl": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    "qwen3-vl": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    "minicpm-v-2.5": "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer without merges: every byte is a token, and every control token one."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({byte: number for number, byte in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*SPECIAL, "<end_of_utterance>"])
    path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def test_chatml_costs_three_control_tokens_and_two_line_breaks_a_turn(folder):
    turns = [Turn("user", "Hi"), Turn("assistant", "Ho!")]
    bytes_between = len("user\n") + len("Hi") + len("\n") + len("assistant\n") + len("Ho!") + len("\n")
    assert text_tokens(turns, MODELS["qwen3-vl"].template, load_tokenizer(folder)) == bytes_between + 4


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_conversation_is_written_as_the_model_s_template_writes_it(folder, name):
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), chat_template=TEMPLATES[name])
    messages = [
        {"role": turn.role, "content": turn.text.replace("<image>", "").replace("<video>", "")} for turn in TURNS
    ]
    expected = len(theirs.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"])
    trimmed = name == "minicpm-v-2.5"  # there the line break behind the tag stays, for the tag stands before it
    assert text_tokens(TURNS, MODELS[name].template, load_tokenizer(folder)) == expected + trimmed


def test_idefics3_leaves_out_the_space_before_a_picture(folder):
    tokenizer, template = load_tokenizer(folder), MODELS["idefics3"].template
    spoken = text_tokens([Turn("user", "Hi"), Turn("assistant", "Ho")], template, tokenizer)
    assert spoken == 1 + len("User: Hi") + 1 + len("\nAssistant: Ho") + 1 + len("\n")
    assert text_tokens([Turn("user", "<image>Hi")], template, tokenizer) == 1 + len("User:Hi") + 1 + len("\n")


def test_a_system_turn_of_one_s_own_stands_in_the_place_of_the_usual_one(folder):
    tokenizer, template = load_tokenizer(folder), MODELS["qwen2.5-vl"].template
    usual = text_tokens([Turn("user", "x")], template, tokenizer)
    assert usual - text_tokens([Turn("system", "Short."), Turn("user", "x")], template, tokenizer) == len(
        "You are a helpful assistant."
    ) - len("Short.")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("four" * 25, 25),
        ("<|im_start|><|im_end|>", 2),
        ("字" * 30, 21),
        ("かな" * 15 + "word" * 10, 31),
        ("я" * 20, 11),
    ],
)
def test_an_estimate_goes_by_the_script(text, tokens):
    assert estimate(text) == pytest.approx(tokens, abs=1)


def test_a_tokenizer_may_be_named_by_its_file(folder):
    assert load_tokenizer(folder / "tokenizer.json").encode("abc").ids == load_tokenizer(folder).encode("abc").ids


@pytest.mark.parametrize("content", [None, "{", "{}", "\0"])
def test_a_folder_without_a_tokenizer_that_can_be_read_is_an_error_that_names_the_option(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="--tokenizer .*tokenizer.json"):
        load_tokenizer(tmp_path)


def test_without_the_package_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DependencyError, match=r"mm2energon\[tokens\]"):
        load_tokenizer(folder)
