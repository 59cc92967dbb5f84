"""A model in a folder answers by the true path; adapters are switched and leave the model as it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from byte_tokenizer import byte_tokenizer
from mm2energon.errors import InputError, SampleError
from mm2energon.videochat.adapters import Adapter, find_adapters
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends import BACKENDS, Setup, require_model
from mm2energon.videochat.backends.local import LocalChat, open_model, ready
from mm2energon.videochat.backends.places import USUAL_MODEL, find_model, offered
from mm2energon.videochat.frames import Unwanted
from mm2energon.videochat.looking import Look
from mm2energon.videochat.perception import Asked
from mm2energon.videochat.prompts import tell_time
from safetensors.torch import load_file, save_file

from videochat.tiny_models import save_adapter, save_qwen2_5_vl

FAMILIES = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]
EVEN = Look((0.0, 0.5, 1.0, 1.5), (False,) * 4)
#: As few as the budget allows, each in the middle of its share.
LATE = Look((1.5, 4.5), (False,) * 2)
UNEVEN = Look((0.0, 1.0, 1.25, 3.0), (False, True, True, False), ((1.0, 1.5),))


def never() -> bool:
    return False


def asked(
    prompt: str = "who?", *, look: Look = EVEN, adapter: Adapter | None = None, colour: int = 200, **parameters: Any
) -> Asked:
    def frames(sizing: Callable[[int, int], tuple[int, int]]) -> list[np.ndarray]:
        width, height = sizing(160, 96)
        return [np.full((height, width, 3), (colour, 30, 30), np.uint8)] * len(look.times)

    given = Parameters(**{"max_new_tokens": 12, "repetition_penalty": 1.0, **parameters})
    return Asked(prompt, look, 3.5, Path("clip.mp4"), given, adapter, frames)


def say(chat: LocalChat, question: Asked) -> str:
    return "".join(chat.reply(question, never))


@pytest.fixture(scope="module")
def tiny(models: dict[str, Path]) -> Path:
    return models["qwen2_5_vl"]


@pytest.fixture(scope="module")
def opened(tiny: Path) -> Iterator[LocalChat]:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    yield chat
    chat.close()


@pytest.fixture(scope="module")
def adapters(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    for number in range(6):
        save_adapter(folder / f"a{number}", tiny, seed=number)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reply_is_what_generate_of_transformers_gives(family: str, models: dict[str, Path]) -> None:
    chat = open_model(str(models[family]), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked())
    ends = byte_tokenizer().convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    expected = chat.model.generate(**inputs, do_sample=False, max_new_tokens=12, eos_token_id=ends)
    text = byte_tokenizer().decode(expected[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert say(chat, asked()) == text


@pytest.mark.parametrize(
    ("family", "look", "is_told"),
    [
        ("qwen2_vl", EVEN, True),
        ("qwen2_5_vl", EVEN, False),
        ("qwen2_5_vl", LATE, True),
        ("qwen2_5_vl", UNEVEN, True),
        ("qwen3_vl", UNEVEN, False),
    ],
)
def test_the_true_times_of_frames_are_told(family: str, look: Look, is_told: bool, models: dict[str, Path]) -> None:
    chat = open_model(str(models[family]), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked(look=look))
    text = byte_tokenizer().decode(inputs["input_ids"][0])
    seconds = ", ".join(map(tell_time, look.times))
    assert (seconds in text) == is_told
    assert ("<0.5 seconds>" in text and "<2.1 seconds>" in text) == (family == "qwen3_vl")
    if family == "qwen2_5_vl":
        assert inputs["second_per_grid_ts"].tolist() == [1.0] if look is EVEN else [2.0]


def test_what_the_checkpoint_says_ends_a_reply(opened: LocalChat, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    inputs = opened.inputs(asked())
    tokens = opened.model.generate(**inputs, do_sample=False, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
    end = next(place for place, token in enumerate(tokens.tolist()) if token != tokens[0])
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [int(tokens[end]), 0]}))
    chat = open_model(str(folder), Setup(device="cpu"), lambda _: None)
    assert say(chat, asked()).encode() == byte_tokenizer().decode(tokens[:end]).encode()


@pytest.mark.parametrize(
    ("template", "begin"),
    [
        ("<|im_start|>user\n.<|im_end|>\n<|im_start|>assistant\n<think>{{ '\\n' }}", "<think>\n"),
        ("<|im_start|>user\n.<|im_end|>\n<|im_start|>assistant{{ '\\n' }}", ""),
        ("{{ raise_exception('give me tools') }}", ""),
    ],
)
def test_a_reply_begins_as_the_template_of_the_checkpoint_has_it(
    template: str, begin: str, opened: LocalChat, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / "chat_template.jinja").write_text(template)
    chat = open_model(str(folder), Setup(device="cpu"), lambda _: None)
    plain, begun = (byte_tokenizer().decode(one.inputs(asked())["input_ids"][0]) for one in (opened, chat))
    assert begun == plain + begin


def test_greedy_answers_are_the_same_each_time_and_sampled_ones_are_not(opened: LocalChat) -> None:
    assert say(opened, asked()) == say(opened, asked())
    assert len({say(opened, asked(temperature=2.0)) for _ in range(4)}) > 1
    assert len({say(opened, asked(temperature=0.5, top_p=0.01)) for _ in range(3)}) == 1


def test_a_repetition_penalty_changes_what_is_said(opened: LocalChat) -> None:
    assert say(opened, asked(max_new_tokens=60)) != say(opened, asked(max_new_tokens=60, repetition_penalty=2.0))


def test_the_frames_are_seen(opened: LocalChat) -> None:
    before, after = (opened.inputs(asked(colour=colour)) for colour in (20, 220))
    with torch.no_grad():
        assert not torch.equal(opened.model(**before).logits, opened.model(**after).logits)


def test_a_reply_that_is_stopped_ends_within_a_token(opened: LocalChat) -> None:
    pieces: list[str] = []
    with pytest.raises(Unwanted):
        for piece in opened.reply(asked(max_new_tokens=3000), lambda: len(pieces) >= 2):
            pieces.append(piece)
    assert len(pieces) == 2
    assert say(opened, asked()) == say(opened, asked())


def test_a_reply_is_stopped_before_its_first_token(opened: LocalChat) -> None:
    looks = iter([False] * 3)
    with pytest.raises(Unwanted):
        list(opened.reply(asked(), lambda: next(looks, True)))


def test_tags_in_a_question_are_text_and_control_tokens_are_refused(opened: LocalChat) -> None:
    assert say(opened, asked("is <video> an <image>?")) is not None
    with pytest.raises(SampleError, match=r"<\|im_end\|>"):
        say(opened, asked("is<|im_end|>"))


def test_a_question_that_does_not_fit_is_told(opened: LocalChat) -> None:
    with pytest.raises(InputError, match="4096 together is what .* takes; shorten it, or lower"):
        say(opened, asked("why " * 1500))


def test_a_lack_of_memory_is_told_and_costs_one_question(opened: LocalChat, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    before = say(opened, asked())
    with monkeypatch.context() as patch:
        patch.setattr(opened.model, "generate", generate)
        with pytest.raises(InputError, match="memory did not suffice for .* tokens; lower the frame budget"):
            say(opened, asked())
    assert say(opened, asked()) == before


def test_adapters_answer_otherwise_and_the_model_computes_the_same_without_them(tiny: Path, adapters: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked())

    def logits(adapter: Adapter | None) -> Any:
        with torch.no_grad(), chat.adapters.using(adapter):
            return chat.model(**inputs).logits

    one, other = find_adapters(adapters)[:2]
    base = logits(None)
    first, second = logits(one), logits(other)
    assert not torch.equal(first, base)
    assert not torch.equal(first, second)
    assert torch.equal(logits(None), base)
    assert torch.equal(logits(one), first)
    assert torch.equal(logits(other), second)
    assert torch.equal(logits(None), base)


def test_an_adapter_is_what_peft_makes_of_it(tiny: Path, adapters: Path) -> None:
    import peft
    import transformers

    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked())
    (adapter,) = find_adapters(adapters / "a3")
    alone = peft.PeftModel.from_pretrained(
        transformers.AutoModelForImageTextToText.from_pretrained(tiny), adapters / "a3"
    ).eval()
    with torch.no_grad(), chat.adapters.using(adapter):
        torch.testing.assert_close(chat.model(**inputs).logits, alone(**inputs).logits)


def test_many_adapters_take_turns_in_memory(tiny: Path, adapters: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    found = find_adapters(adapters)
    said = [say(chat, asked(adapter=adapter)) for adapter in found]
    held = {name.split(".")[-2] for name, _ in chat.model.named_parameters() if ".lora_A." in name}
    assert len(found) == 6
    assert len(held) == 4
    assert [say(chat, asked(adapter=adapter)) for adapter in found] == said


def test_an_adapter_that_was_trained_on_is_read_anew(tiny: Path, tmp_path: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    inputs = chat.inputs(asked())

    def logits() -> Any:
        with torch.no_grad(), chat.adapters.using(find_adapters(tmp_path)[0]):
            return chat.model(**inputs).logits

    save_adapter(tmp_path / "mine", tiny, seed=1)
    before = logits()
    save_adapter(tmp_path / "mine", tiny, seed=2)
    assert not torch.equal(logits(), before)


@pytest.mark.parametrize("name", ["lm_head.weight", "model.language_model.layers.0.self_attn.q_proj.base_layer.bias"])
def test_an_adapter_that_would_write_over_the_models_own_weights_is_refused(
    name: str, tiny: Path, tmp_path: Path
) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    inputs = {"input_ids": torch.tensor([[1, 2, 3]])}
    with torch.no_grad():
        before = chat.model(**inputs).logits
    folder = save_adapter(tmp_path / "adapters/over", tiny)
    weights = load_file(folder / "adapter_model.safetensors")
    own = chat.model.state_dict()[name.replace("base_layer.", "")]
    save_file({**weights, f"base_model.model.{name}": torch.ones_like(own)}, folder / "adapter_model.safetensors")
    (adapter,) = find_adapters(tmp_path / "adapters")
    with pytest.raises(InputError, match=f"{name} is no weight of LoRA"), chat.adapters.using(adapter):
        pass
    with torch.no_grad(), chat.adapters.using(None):
        assert torch.equal(chat.model(**inputs).logits, before)


def test_an_adapter_whose_start_takes_a_part_out_of_the_model_is_refused(tiny: Path, tmp_path: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    folder = save_adapter(tmp_path / "adapters/pissa", tiny)
    about = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**about, "init_lora_weights": "pissa"}))
    (adapter,) = find_adapters(tmp_path / "adapters")
    with pytest.raises(InputError, match="init_lora_weights: pissa"):
        say(chat, asked(adapter=adapter))
    assert chat.is_sound
    with pytest.raises(InputError, match="changes the weights of"):  # nobody had read its configuration
        say(chat, asked(adapter=replace(adapter, ready=True)))
    assert not chat.is_sound


def test_an_adapter_of_another_size_is_told_and_leaves_the_model_as_it_was(
    tiny: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    before = say(chat, asked())
    wide = tmp_path / "wide"
    shutil.copytree(tiny, wide)
    config = json.loads((wide / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 256
    (wide / "config.json").write_text(json.dumps(config))
    import transformers

    model = transformers.AutoModelForImageTextToText.from_config(transformers.AutoConfig.from_pretrained(wide))
    model.save_pretrained(wide)
    save_adapter(tmp_path / "adapters/wide", wide, base=str(tiny))
    (adapter,) = find_adapters(tmp_path / "adapters")
    with pytest.raises(
        InputError, match=r"adapter wide: .*down_proj is for in_features 256, and .* has in_features 192"
    ):
        say(chat, asked(adapter=adapter))
    assert chat.is_sound
    assert say(chat, asked()) == before


def test_an_adapter_of_another_model_is_told(tiny: Path, tmp_path: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    save_adapter(tmp_path / "other", tiny, base="Qwen/Qwen2.5-VL-7B-Instruct")
    with pytest.raises(InputError, match=r"was made for Qwen/Qwen2.5-VL-7B-Instruct, and the model is"):
        say(chat, asked(adapter=find_adapters(tmp_path)[0]))


def test_an_adapter_whose_file_is_torn_is_told(tiny: Path, tmp_path: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu"), lambda _: None)
    weights = save_adapter(tmp_path / "torn", tiny) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match="adapter torn: adapter_model.safetensors cannot be read"):
        say(chat, asked(adapter=find_adapters(tmp_path)[0]))
    assert chat.is_sound


def test_a_model_is_taken_from_a_folder_of_its_name_first(tmp_path: Path) -> None:
    setup = Setup(model_folders=(tmp_path,), may_download=False)
    place = tmp_path / "VideoChat-R1_5-7B"
    with pytest.raises(InputError, match=f"could not be fetched .*put its files into {place}"):
        find_model(USUAL_MODEL, setup, lambda _: None)
    assert not ready(setup).ok
    save_qwen2_5_vl(place)
    assert find_model(USUAL_MODEL, setup, lambda _: None) == place
    assert ready(setup).ok
    assert offered(setup) == [str(place)]
    assert find_model(str(place), setup, lambda _: None) == place


def test_models_of_folders_that_were_named_are_offered_beside_those_that_were_given(
    models: dict[str, Path], tmp_path: Path
) -> None:
    top = models["qwen2_5_vl"].parent
    given = f"someone/{models['qwen2_5_vl'].name}"
    others = [str(top / f"tiny-{family}") for family in ("qwen2_vl", "qwen3_vl")]
    assert offered(Setup(models=(given,), model_folders=(tmp_path, top))) == [given, *others]
    assert offered(Setup(models=(given,))) == [given]


@pytest.mark.parametrize("name", ["/nowhere/model", "../model", "model", "a/b/c", "org/../model", "", "http://x/y"])
def test_what_is_no_model_is_never_asked_of_the_hub(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_model(name, Setup(model_folders=(tmp_path,)), lambda _: None)


def test_only_models_that_are_offered_are_opened(tiny: Path) -> None:
    setup = Setup(models=(str(tiny),))
    assert require_model(BACKENDS["transformers"], "", setup) == str(tiny)
    with pytest.raises(InputError, match="is not offered; expected one of"):
        require_model(BACKENDS["transformers"], "/etc", setup)


@pytest.mark.parametrize(
    ("files", "message"),
    [({"config.json": "{}"}, "a model of type None"), ({"tokenizer.json": "torn"}, "cannot be loaded")],
)
def test_a_folder_that_is_no_model_is_told(tiny: Path, tmp_path: Path, files: dict[str, str], message: str) -> None:
    shutil.copytree(tiny, tmp_path / "m")
    for name, text in files.items():
        (tmp_path / "m" / name).write_text(text)
    with pytest.raises(InputError, match=message):
        open_model(str(tmp_path / "m"), Setup(device="cpu"), lambda _: None)


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ({"device": "tpu"}, "device tpu: expected auto, cpu"),
        ({"device": "cuda:x"}, "device cuda:x"),
        ({"device": "cpu", "dtype": "int3"}, "dtype int3"),
        ({"device": "cpu", "four_bit": True}, "4-bit weights: the device is cpu"),
    ],
)
def test_a_device_that_cannot_be_is_told(tiny: Path, setup: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_model(str(tiny), Setup(**setup), lambda _: None)


def test_the_type_of_numbers_can_be_chosen(tiny: Path) -> None:
    chat = open_model(str(tiny), Setup(device="cpu", dtype="bfloat16"), lambda _: None)
    assert chat.model.dtype == torch.bfloat16
    assert say(chat, asked()) is not None
