"""Adapters are found where they lie, as soon as they lie there, and what is wrong with one is told."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from mm2energon.errors import InputError
from mm2energon.videochat.adapters import find_adapters, model_name, require_base, weight_shapes


def save(folder: Path, *, base: str = "org/Base-7B", peft_type: str = "LORA", weights: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    about = {"peft_type": peft_type, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(about))
    if weights:
        write_weights(folder, {"base_model.model.layers.0.q_proj.lora_A.weight": [4, 96]})
    return folder


def write_weights(folder: Path, shapes: dict[str, list[int]]) -> None:
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    head |= {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    data = json.dumps(head).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)


def test_adapters_are_named_by_their_folders_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("run/checkpoint-10", "run/checkpoint-9", "run/final_checkpoint", "other"):
        save(tmp_path / name)
    found = find_adapters(tmp_path)
    assert [one.name for one in found] == ["other", "run/checkpoint-9", "run/checkpoint-10", "run/final_checkpoint"]
    assert all(one.ready and one.base == "org/Base-7B" and one.message == "" for one in found)


def test_a_folder_that_is_an_adapter_itself_is_found(tmp_path: Path) -> None:
    assert [one.name for one in find_adapters(save(tmp_path / "mine"))] == ["mine"]


def test_one_that_is_made_meanwhile_is_there_and_one_that_is_written_anew_is_another(tmp_path: Path) -> None:
    assert find_adapters(tmp_path) == find_adapters(None) == find_adapters(tmp_path / "none") == []
    save(tmp_path / "new")
    (before,) = find_adapters(tmp_path)
    write_weights(tmp_path / "new", {"x.lora_A.weight": [8, 96]})
    (after,) = find_adapters(tmp_path)
    assert before.version != after.version


def test_one_whose_weights_are_not_written_yet_is_not_ready(tmp_path: Path) -> None:
    save(tmp_path / "new", weights=False)
    (found,) = find_adapters(tmp_path)
    assert not found.ready
    assert "there is no adapter_model.safetensors yet" in found.message


def test_weights_in_a_pickle_are_not_opened(tmp_path: Path) -> None:
    (save(tmp_path / "old", weights=False) / "adapter_model.bin").write_bytes(b"cos\nsystem\n")
    (found,) = find_adapters(tmp_path)
    assert not found.ready
    assert "pickle" in found.message


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"peft_type": "PROMPT_TUNING"}', "\x00"])
def test_what_is_no_adapter_of_ours_is_told(tmp_path: Path, text: str) -> None:
    folder = save(tmp_path / "odd")
    (folder / "adapter_config.json").write_text(text)
    (found,) = find_adapters(tmp_path)
    assert not found.ready
    assert found.message.startswith("adapter odd: ")
    with pytest.raises(InputError, match="adapter odd"):
        require_base(found, "org/Base-7B", tmp_path)


def test_hidden_folders_links_and_great_depths_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "outside")
    top = tmp_path / "top"
    save(top / ".trash" / "a")
    save(top / "1/2/3/4/5/deep")
    (top / "link").symlink_to(tmp_path / "outside")
    assert find_adapters(top) == []


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("OpenGVLab/VideoChat-R1_5-7B", "videochat-r1_5-7b"),
        ("/models/VideoChat-R1_5-7B/", "videochat-r1_5-7b"),
        ("C:\\models\\VideoChat-R1_5-7B", "videochat-r1_5-7b"),
        ("/c/hub/models--OpenGVLab--VideoChat-R1_5-7B/snapshots/0a1b", "videochat-r1_5-7b"),
        ("/c/hub/models--gpt2/snapshots/0a1b/", "gpt2"),
    ],
)
def test_a_model_has_one_name_wherever_it_lies(place: str, name: str) -> None:
    assert model_name(place) == name


def test_an_adapter_of_another_model_is_told_with_both_names(tmp_path: Path) -> None:
    save(tmp_path / "mine")
    (found,) = find_adapters(tmp_path)
    require_base(found, "/models/base-7b", tmp_path)
    with pytest.raises(InputError, match="was made for org/Base-7B, and the model is org/Other-7B"):
        require_base(found, "org/Other-7B", tmp_path)


def test_an_adapter_that_does_not_say_its_model_goes_by_its_shapes(tmp_path: Path) -> None:
    save(tmp_path / "mine", base="")
    require_base(find_adapters(tmp_path)[0], "any", tmp_path)


def test_shapes_are_read_from_the_head_alone(tmp_path: Path) -> None:
    save(tmp_path / "mine")
    (found,) = find_adapters(tmp_path)
    assert weight_shapes(found) == {"base_model.model.layers.0.q_proj.lora_A.weight": (4, 96)}


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b'{"a": 1}'])
def test_weights_that_were_cut_off_are_told(tmp_path: Path, data: bytes) -> None:
    (save(tmp_path / "mine") / "adapter_model.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="adapter mine: adapter_model.safetensors cannot be read"):
        weight_shapes(find_adapters(tmp_path)[0])
