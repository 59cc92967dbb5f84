"""What holds of every row of the TARGETS table, and the names that the readers look for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from mm2energon.errors import InputError
from mm2energon.sample import Sample, Turn
from mm2energon.targets import TARGETS, Target, dataset_yamls, target_named, turns_json

ROWS = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
SAMPLE = Sample(turns=(Turn("system", "s"), Turn("user", "u"), Turn("assistant", "a")))


def parts_of(target: Target) -> set[str]:
    return {part for part in (target.images_part, target.videos_part, target.audios_part) if part}


@ROWS
def test_a_row_bears_its_own_name_and_is_found_by_it(target: Target) -> None:
    assert TARGETS[target.name] is target
    assert target_named(target.name) is target


def test_a_target_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="--target pai: no such target; one of pai-v1, pai-v2, bridge, crude was"):
        target_named("pai")


@ROWS
def test_the_fields_of_a_dataset_yaml_name_parts_that_are_written(target: Target) -> None:
    for content in dataset_yamls(target).values():
        for part in content.get("field_map", {}).values():
            assert part in parts_of(target) | {"json"}


@ROWS
def test_yaml_and_next_steps_can_be_written(target: Target) -> None:
    for content in dataset_yamls(target).values():
        assert yaml.safe_load(yaml.safe_dump(content)) == content
        assert {"__module__", "__class__"} <= content.keys()
    assert "/some/shards" in target.next_steps.format(path="/some/shards")


@ROWS
def test_another_reader_gets_its_own_class_over_the_same_parts(target: Target) -> None:
    files = dataset_yamls(target)
    assert set(files) == {"dataset.yaml"} | {f"dataset.{other}.yaml" for other in target.also}
    for other in target.also:
        theirs = TARGETS[other]
        content = files[f"dataset.{other}.yaml"]
        assert content["__module__"] == theirs.dataset_yaml["__module__"]
        assert content.keys() == theirs.dataset_yaml.keys()
        assert content["field_map"].keys() == theirs.dataset_yaml["field_map"].keys()
        assert theirs.turn_keys == "both" or target.turn_keys in (theirs.turn_keys, "both")


def test_what_is_handed_out_is_not_the_table_itself() -> None:
    dataset_yamls(TARGETS["pai-v1"])["dataset.yaml"].clear()
    assert dataset_yamls(TARGETS["pai-v1"])["dataset.yaml"]


#: Typed from the classes of the readers: module, field -> part.
READERS: dict[str, tuple[str, dict[str, str]]] = {
    "pai-v1": ("megatron_patch.data.energon.chatml", {"imgs": "jpgs", "videos": "videos", "conversation": "json"}),
    "pai-v2": (
        "megatron_patch.data.multimodal_dataset",
        {"imgs": "jpgs", "videos": "mp4s", "audios": "mp3s", "conversation": "json"},
    ),
    "bridge": (
        "megatron.bridge.data.energon.task_encoder_utils",
        {"imgs": "jpgs", "videos": "videos", "conversation": "json"},
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_the_readers_classes_and_fields_are_named_as_they_name_them(name: str) -> None:
    content = dataset_yamls(TARGETS[name])["dataset.yaml"]
    assert (content["__module__"], content["field_map"]) == READERS[name]
    assert content["__class__"] == "ChatMLWebdataset"
    assert content.get("subflavors") == ({} if name == "bridge" else None)


def test_bridge_reads_the_shards_of_both_pai_readers_and_they_not_each_others() -> None:
    assert {name: set(target.also) for name, target in TARGETS.items()} == {
        "pai-v1": {"bridge"},
        "pai-v2": {"bridge"},
        "bridge": {"pai-v1"},
        "crude": set(),
    }


FROM = [{"from": "system", "value": "s"}, {"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]
ROLE = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
BOTH = [{**one, **other} for one, other in zip(FROM, ROLE, strict=True)]


@pytest.mark.parametrize(("name", "turns"), [("pai-v1", FROM), ("pai-v2", ROLE), ("bridge", BOTH), ("crude", ROLE)])
def test_turns_are_keyed_as_the_reader_reads_them(name: str, turns: list[dict[str, Any]]) -> None:
    assert turns_json(SAMPLE, TARGETS[name]) == turns


@pytest.mark.parametrize(
    ("name", "min_side", "min_frames"), [("pai-v1", 28, 2), ("pai-v2", 32, 2), ("bridge", 1, 1), ("crude", 1, 1)]
)
def test_the_smallest_media_are_those_of_the_reader(name: str, min_side: int, min_frames: int) -> None:
    rules = TARGETS[name].rules
    assert (rules.min_side, rules.min_frames) == (min_side, min_frames)
    assert TARGETS[name].cuts_odd_frame == name.startswith("pai")
