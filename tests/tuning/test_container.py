"""The container's files, as far as they can be held against the checkout without Docker."""

from __future__ import annotations

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mm2energon.commands import finetune, studio

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICE = COMPOSE["services"]["studio"]


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of that name, with its lines joined."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [line.partition(" ")[2] for line in joined.splitlines() if line.startswith(f"{name} ")]


def with_defaults(text: str) -> str:
    """A text of the compose file where no variable is set but the one that has to be."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef", text)


def test_the_studio_takes_the_command_of_the_compose_file() -> None:
    command = [with_defaults(word) for word in SERVICE["command"]]
    assert command[0] == "studio"
    parser = argparse.ArgumentParser()
    studio.add_arguments(parser)
    arguments = parser.parse_args(command[1:])
    assert (arguments.host, arguments.port) == ("0.0.0.0", 8000)
    assert arguments.adapters == Path("/app/lora_adapters")


def test_the_token_comes_from_the_environment_and_is_refused_when_empty() -> None:
    assert SERVICE["environment"][studio.TOKEN_VARIABLE].startswith("${STUDIO_TOKEN:?")
    assert not any("token" in word.lower() for word in SERVICE["command"])
    assert "TOKEN" not in DOCKERFILE


def test_every_volume_is_a_folder_that_the_image_makes_for_its_user() -> None:
    made = re.search(r"mkdir -p ((?:/app/\w+ ?)+)", DOCKERFILE)
    assert made is not None
    inside = {volume.split(":")[1] for volume in SERVICE["volumes"]}
    assert inside == set(made[1].split())
    assert instructions("USER") == ["app"] and "chown -R app:app /app" in DOCKERFILE


def test_the_gpus_are_reserved_as_the_compose_specification_says() -> None:
    (device,) = SERVICE["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    (port,) = SERVICE["ports"]
    assert with_defaults(port) == "127.0.0.1:8000:8000" and "8000" in instructions("EXPOSE")


def test_all_that_is_copied_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for line in instructions("COPY") for word in line.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_the_extras_that_are_installed_exist() -> None:
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    known = re.findall(r'^    "(\w+)": \[', (ROOT / "setup.py").read_text(), re.MULTILINE)
    assert set(extras.split(",")) == {"studio", "train", "urls"} <= set(known)


def test_the_script_of_the_reference_is_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = [part for run in instructions("RUN") for part in run.split("&& ") if "finetune.py" in part]
    _, _, *words = shlex.split(line.partition(">")[0])
    (tmp_path / "finetune.py").write_text("\n".join(words))
    monkeypatch.setattr(sys, "argv", ["finetune.py", "--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(tmp_path / "finetune.py"), run_name="__main__")
    assert end.value.code == 1
    assert "--data" in capsys.readouterr().err


def test_without_options_it_trains_on_the_folder_data_into_lora_adapters() -> None:
    parser = argparse.ArgumentParser()
    finetune.add_arguments(parser)
    arguments = parser.parse_args([])
    assert (arguments.data, arguments.output) == (None, Path("lora_adapters"))
    assert arguments.model == "OpenGVLab/VideoChat-R1_5-7B"
