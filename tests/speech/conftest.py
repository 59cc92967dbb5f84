"""Fixtures of the tests of speech."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from mm2energon.speech import engines

from speech.tiny_whisper import Script, write_ctranslate2, write_openai


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Script], Path]:
    """A folder with the model of a script, for faster-whisper; each made once."""
    return cache(lambda script: write_ctranslate2(tmp_path_factory.mktemp("tiny") / "model", script))


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Script], Path]:
    """A file with the model of a script, for openai-whisper; each made once."""
    return cache(lambda script: write_openai(tmp_path_factory.mktemp("tiny") / "model.pt", script))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a network and with empty caches, below the path."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://nobody:s3cret@127.0.0.1:9")  # a port that nobody answers
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture(autouse=True)
def _no_engine_stays() -> None:
    """Models are loaded once for a process: a test must not get that of another."""
    engines.load.cache_clear()


@pytest.fixture
def own_threads() -> Iterator[None]:
    """The number of torch's threads is the process's: it is put back."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
