"""The options of `studio`, as the server gets them."""

import argparse
from pathlib import Path

import pytest
from mm2energon.commands import studio
from mm2energon.errors import InputError
from mm2energon.pipeline.loop import silent
from mm2energon.videochat.backends.setup import Setup

TOKEN = "a-token-that-nobody-guesses"


def settings(*arguments):
    parser = argparse.ArgumentParser()
    studio.add_arguments(parser)
    return studio.settings_of(parser.parse_args([*map(str, arguments)]))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.delenv(studio.TOKEN_VARIABLE, raising=False)
    for name in ("data", "here", "more"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_without_options_it_is_for_this_machine_and_for_one_person(here):
    found = settings("../data/d.json")
    assert (found.host, found.port, found.token, found.reviewers) == ("127.0.0.1", 8000, None, ("",))
    assert (found.target, found.interval_seconds, found.root) == ("pai-v1", 0.5, None)
    found.check()


def test_the_format_of_the_entries_may_be_named(here):
    assert settings("d.json").read_as is None
    assert settings("d.json", "--from", "minicpm-v").read_as == "minicpm-v"


def test_files_are_written_below_the_data_the_current_folder_and_what_was_opened(here):
    found = settings("../data/d.json", "--output-root", here / "more")
    assert found.output_roots == (here / "data", here / "here", here / "more")


def test_the_root_of_the_file_system_is_not_opened_for_being_the_current_folder(here, monkeypatch):
    monkeypatch.chdir("/")
    assert settings(here / "data/d.json").output_roots == (here / "data",)


def test_each_reviewer_counts_once(here):
    assert settings("d.json", "--reviewer", "anna", "--reviewer", "ben", "--reviewer", "anna").reviewers == (
        "anna",
        "ben",
    )


def test_models_and_servers_are_as_they_were_asked_for(here, capsys):
    assert settings("d.json").backends == Setup()
    asked = (
        "--model", "a/b", "--model", "c/d", "--models", here / "more", "--offline", "--device", "cuda:1", "--dtype",
        "float16", "--no-four-bit", "--openai-url", "http://127.0.0.1:9/v1", "--openai-video", "--gemini-url",
        "http://127.0.0.1:8",
    )  # fmt: skip
    assert settings("d.json", *asked).backends == Setup(
        models=("a/b", "c/d"),
        model_folders=(here / "more",),
        device="cuda:1",
        dtype="float16",
        four_bit=False,
        may_download=False,
        openai_address="http://127.0.0.1:9/v1",
        openai_video=True,
        gemini_address="http://127.0.0.1:8",
    )
    for wrong in (("--device", "gpu"), ("--openai-url", "localhost:8001"), ("--dtype", "int8")):
        with pytest.raises(SystemExit):
            settings("d.json", *wrong)
        assert wrong[1] in capsys.readouterr().err
    with pytest.raises(InputError, match="--models"):
        settings("d.json", "--models", here / "none")


def test_the_token_comes_from_the_environment_a_file_or_the_command_line(here, monkeypatch):
    (here / "token").write_text(f"  {TOKEN}\n")
    assert settings("d.json", "--token-file", here / "token").token == TOKEN
    assert settings("d.json", "--token", TOKEN).token == TOKEN
    monkeypatch.setenv(studio.TOKEN_VARIABLE, TOKEN)
    assert settings("d.json").token == TOKEN
    assert settings("d.json", "--token", "another").token == "another"


def test_names_of_a_proxy_are_taken_as_browsers_send_them():
    assert settings("d.json", "--allow-host", "Studio.Example:8443").names == ("studio.example:8443",)


@pytest.mark.parametrize("option", ["--dataset-root", "--output-root", "--allow-absolute-media"])
def test_a_folder_that_is_not_there_is_refused(option):
    with pytest.raises(InputError, match="no such folder"):
        settings("d.json", option, "nowhere")


@pytest.mark.parametrize("port", ["-1", "65536", "x", "1e3", "", "٣"])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        settings("d.json", f"--port={port}")
    assert "port" in capsys.readouterr().err


def test_the_cache_lies_where_those_of_a_person_do(here, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "caches"))
    assert settings("d.json").cache == here / "caches/mm2energon/studio"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert settings("d.json").cache == Path.home() / ".cache/mm2energon/studio"
    assert settings("d.json", "--cache", "c").cache == here / "here/c"


def test_one_that_was_stopped_says_so_also_where_a_shell_let_ctrl_c_be_ignored(here, monkeypatch):
    monkeypatch.setattr("mm2energon.studio.serve.serve", lambda _settings, *, listens: None)
    parser = argparse.ArgumentParser()
    studio.add_arguments(parser)
    assert studio.run(parser.parse_args(["../data/d.json"]), silent).lines == ["stopped; all decisions are saved"]
