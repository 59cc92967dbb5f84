"""T2Vid's recipe: every step of it on generated data, to a blend of datasets that verify finds without fault."""

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest
import t2vid_recipe
import yaml
from mm2energon import cli
from mm2energon.commands import COMMANDS
from pipeline.making import set_aside, stored

NAMES = {Path(command.script).name: name for name, command in COMMANDS.items()}


def recipe(folder: Path) -> tuple[int | str | None, str]:
    """Exit status of the script, and what it says; its commands run in this process, in half the time."""
    said = io.StringIO()

    def run(script: Path, *arguments: object) -> None:
        assert script.is_file()
        assert cli.main([NAMES[script.name], *map(str, arguments)]) == 0

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(t2vid_recipe, "run", run)
        patch.setattr(sys, "argv", ["t2vid_recipe.py", "--output", str(folder), "--skip-energon"])
        try:
            t2vid_recipe.main()
        except SystemExit as end:
            return end.code, said.getvalue()
    return 0, said.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("recipe") / "data"
    status, said = recipe(folder)
    assert status == 0
    return folder, said


def test_the_recipe_runs_from_videos_and_texts_to_a_blend_without_fault(made: tuple[Path, str]) -> None:
    folder, said = made
    assert said.count("no fault") == 2
    splits = yaml.safe_load((folder / "blend.yaml").read_text())["splits"]
    taken = {one["path"]: one["weight"] for one in splits["train"]["blend"]}
    assert taken == {"video_wds": 20, "synthetic_wds": 10}
    assert "train        30 samples of 2 datasets" in said


def test_videos_are_24_of_their_frames_at_1_fps_by_t2vids_rule(made: tuple[Path, str]) -> None:
    folder, _ = made
    # Of 30 frames: the middles of 24 stretches that end at the rounded multiples of 29 / 24.
    ends = [round(29 / 24 * number) for number in range(25)]
    wanted = [(begin + end) // 2 + 1 for begin, end in zip(ends, ends[1:], strict=False)]
    for sample in json.loads((folder / "video/minicpm-v.json").read_text()):
        names = [f"clip{int(sample['id'][4:6]):02d}/{number:06d}.jpg" for number in wanted]
        assert list(sample["image"].values()) == names
        assert all(tag in sample["conversations"][0]["content"] for tag in sample["image"])
    assert {len(sample.images) for sample in stored(folder / "video_wds")} == {24}


def test_texts_are_all_of_their_pictures_and_t2vids_filter_leaves_long_questions_out(made: tuple[Path, str]) -> None:
    folder, _ = made
    assert [line["reason"] for line in set_aside(folder / "synthetic/longqlora")] == ["long-question"]
    samples = stored(folder / "synthetic_wds")
    pictures = {data for sample in samples for data in sample.images}
    assert len(samples) == 16 and len(pictures) == sum(len(sample.images) for sample in samples) > 32
    left_out = "longqlora/pages/longqlora_00008/"
    drawn = (folder / "synthetic").glob("*/pages/*/*.png")
    assert pictures == {path.read_bytes() for path in drawn if left_out not in path.as_posix()}


def test_the_recipe_empties_no_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    status, _ = recipe(tmp_path / "mine")
    assert "was not made by this script" in str(status)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
