"""Units and outcomes as JSON: read back, they are what they were."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from media import write_clip
from mm2energon import cli
from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline import array_stage, convert_parts
from mm2energon.pipeline.array_stage import STEPS, Stage
from mm2energon.pipeline.carried import error_from_json, result_from_json, to_json, unit_from_json
from mm2energon.pipeline.extract import Extracted, VideoUnit, extract_unit
from mm2energon.stopwatch import Spent
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.pack import Packs
from mm2energon.video.sampling import Sampling

from pipeline.making import image_entry, run_shard, text_entry, video_entry, write_images, write_json

NAMES = ["a b.mp4", "ü/é.mp4", "not utf-8 \udcff.mp4", 'quo"te\n.mp4', "\U0001f600.mp4", "back\\ud83d.mp4"]
OPTIONS = FrameOptions(Sampling(interval_seconds=0.1, min_frames=2), max_pixels=10**12, quality=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_and_its_outcome_are_read_back_whatever_the_video_is_called(name):
    packs = Packs(Path("/root") / name, Path("packs"), OPTIONS)
    unit = VideoUnit(Path("/root") / name, name, OPTIONS, 3, packs, Allowance(max_frames=None, keep_partial=True))
    assert unit_from_json(to_json(unit), extract_unit) == unit
    assert b"\n" not in to_json(unit)
    extracted = Extracted(name, 7, partial=f"{name} breaks", spent={"decode": Spent(0.1, 1e-9)})
    assert result_from_json(to_json(extracted), extract_unit) == extracted


@pytest.mark.parametrize("kind", [SampleError, MediaError])
@pytest.mark.parametrize("name", NAMES)
def test_an_error_keeps_its_kind_its_code_and_its_words(kind, name):
    error = error_from_json(to_json(kind(f"{name}: why", "no-frames")))
    assert type(error) is kind and (str(error), error.code) == (f"{name}: why", "no-frames")


@pytest.mark.parametrize("text", [b"", b"7", b"{}", b'{"root": 7}', b'{"video": "a.mp4"}', b"null", b"{", b"\xff"])
def test_text_that_is_no_unit_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (whatever it says)
        unit_from_json(text, extract_unit)


def test_text_names_no_code(tmp_path):
    unit = VideoUnit(tmp_path, "a.mp4", OPTIONS)
    more = {**json.loads(to_json(unit)), "__class__": "os.system", "extra": {"py/object": "os.system"}}
    assert unit_from_json(json.dumps(more).encode(), extract_unit) == unit


def made_units(root: Path, *words: str) -> tuple[Stage, list]:
    """The units that a command plans last, as they are read back from its plan."""
    plan = root.parent / f"plan-{words[0]}"
    assert cli.main(["plan", *words, "--plan", str(plan)]) == 0
    [stage] = array_stage.stages_in(plan)
    return stage, list(stage.all_units())


def test_units_of_every_step_and_what_becomes_of_them_are_read_back(tmp_path, capsys, monkeypatch):
    root = tmp_path / "data"
    write_images(root, 2)
    write_clip(root / "v.mp4", frames=20)
    entries = [image_entry("p0.jpg"), image_entry("p1.jpg"), video_entry("v.mp4"), text_entry()]
    write_json(root / "dataset.json", entries)
    assert cli.main(["frames", "--dataset-root", str(root), "--workers", "1", "--time-interval", "0.1"]) == 0
    planned = [
        made_units(root, "frames", "--dataset-root", str(root)),
        made_units(root, "shard", "--dataset-root", str(root), "--max-samples-per-tar", "2"),
    ]
    assert run_shard(root, "--max-samples-per-tar", 2, "--output", tmp_path / "wds") == 0
    planned.append(made_units(root, "verify", str(tmp_path / "wds")))
    planned.append(made_units(root, "report", str(tmp_path / "wds"), "--text"))
    monkeypatch.setattr(convert_parts, "PART_BYTES", 100)
    lines = tmp_path / "in.jsonl"
    lines.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    planned.append(made_units(root, "convert", str(lines), str(tmp_path / "out.jsonl"), "--to", "messages"))
    assert {stage.step_name for stage, _ in planned} == set(STEPS)
    for stage, units in planned:
        assert units
        for unit, line in zip(units, stage.lines(), strict=True):
            assert to_json(unit) + b"\n" == line
            result = stage.step(unit)
            again = result_from_json(to_json(result), stage.step)
            assert again == result and type(again) is type(result)
            assert to_json(again) == to_json(result)


def test_no_field_of_a_unit_is_lost():
    unit = VideoUnit(Path("/r"), "v", OPTIONS, 2, None, Allowance(max_frames=5, keep_partial=True), file_bytes=9)
    again = unit_from_json(to_json(unit), extract_unit)
    assert [getattr(again, field.name) for field in fields(unit)] == [
        getattr(unit, field.name) for field in fields(unit)
    ]
    assert replace(again, threads=1) != unit
