"""The documents are true of the code: tables, options and drawings are compared with what they describe."""

import argparse
import importlib
import re
from pathlib import Path

import mm2energon
from mm2energon.commands import COMMANDS
from mm2energon.errors import REASONS
from mm2energon.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "toolkits/multimodal_data_preprocessing/dataset_preparation.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def first_cells(text: str, heading: str) -> list[str]:
    """The first cell of each row of the table below a heading."""
    table = text.split(heading, 1)[1].split("\n#", 1)[0]
    rows = table.split("|---", 1)[1].splitlines()[1:]
    return [row.split("|")[1].strip() for row in rows if row.startswith("|")]


def options_of(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    importlib.import_module(f"mm2energon.commands.{COMMANDS[command].module}").add_arguments(parser)
    return {name for action in parser._actions for name in action.option_strings}


def test_the_readme_lists_the_commands_of_the_table_and_scripts_that_exist() -> None:
    cells = first_cells(README, "## Commands")
    assert sorted(cells) == sorted(f"`mm2energon {name}`" for name in COMMANDS)
    scripts = re.findall(r"`((?:multimodal|pretrain)_data_preprocessing/\w+\.py)`", README)
    assert len(scripts) == len(COMMANDS)
    for script in scripts:
        assert (ROOT / "toolkits" / script).is_file()


def test_every_script_runs_the_command_that_the_readme_names_for_it() -> None:
    for row in README.split("## Commands", 1)[1].splitlines():
        found = re.match(r"\| `mm2energon ([\w-]+)` \| `(\S+)` \|", row)
        if found:
            assert f'run_script("{found[1]}")' in (ROOT / "toolkits" / found[2]).read_text(encoding="utf-8")


def test_the_readme_lists_the_targets_of_the_table() -> None:
    names = [re.match(r"`([\w-]+)`", cell) for cell in first_cells(README, "## Targets")]
    assert sorted(name[1] for name in names if name) == sorted(TARGETS)


def test_the_guide_explains_every_reason_code() -> None:
    section = GUIDE.split("## 7.", 1)[1]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", section, re.MULTILINE))
    assert rows == REASONS


def test_every_option_that_the_documents_name_exists() -> None:
    known = set().union(*(options_of(name) for name in COMMANDS))
    # Those of training frameworks.
    theirs = {"--train-data-path", "--valid-data-path", "--dataloader-type", "--nproc-per-node"}
    named = set(re.findall(r"(?<=[\s`/])--[a-z][a-z-]+[a-z](?!\w)", README + GUIDE))
    assert named - theirs <= known


def test_the_guide_names_every_option_of_frames_and_shard() -> None:
    shared = {"-h", "--help"}
    for command in ("frames", "shard", "normalize"):
        missing = {name for name in options_of(command) - shared if name not in GUIDE and name not in README}
        assert not missing


def test_links_between_the_documents_lead_to_files() -> None:
    for path in (ROOT / "README.md", ROOT / "examples/README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), link
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE):
        assert (ROOT / "toolkits/multimodal_data_preprocessing" / link).exists(), link


def test_the_architecture_page_draws_the_layers_as_the_package_does() -> None:
    drawn = [line.strip() for line in (mm2energon.__doc__ or "").splitlines() if line.startswith("    ")]
    on_page = ARCHITECTURE.split("## Layers", 1)[1].split("```")[1].strip().splitlines()
    assert on_page == drawn


def test_each_promise_names_a_test_that_is_there():
    promises = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/promises.md").read_text(encoding="utf-8"))
    assert len(promises) >= 16
    lost = [name for path, name in promises if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert lost == []
