"""Every row of the table says whether it is ready, and what to do where it is not, and keeps its key to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from mm2energon.errors import InputError, ToolkitError
from mm2energon.videochat.backends import BACKENDS, Backend, Setup, openai, ready, require_model

KEY = "sk-very-secret"


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def row(request: pytest.FixtureRequest) -> Backend:
    backend: Backend = request.param
    return backend


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Setup:
    """A machine that has no model, no server and no key."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    openai.forget_models()
    return Setup(model_folders=(tmp_path,), may_download=False)


def test_a_row_is_named_as_it_is_found(row: Backend) -> None:
    assert BACKENDS[row.name] is row
    assert row.title


def test_what_is_missing_is_said_without_opening_anything(row: Backend, bare: Setup) -> None:
    found = row.ready(bare)
    assert not found.ok
    assert "; " in found.message
    assert isinstance(row.models(bare), list)


def test_opening_what_is_not_ready_is_an_error_of_ours(row: Backend, bare: Setup) -> None:
    name = (row.models(bare) or ["any"])[0]
    with pytest.raises(ToolkitError):
        row.open(name, bare, lambda _: None)


def test_a_missing_package_is_said_with_its_extra(row: Backend, bare: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "find_spec", lambda _: None)
    found = row.ready(bare)
    assert not found.ok
    assert "pip install 'mm2energon[" in found.message


def test_no_key_is_ever_shown(row: Backend, bare: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    setup = Setup(openai_address="http://127.0.0.1:9/v1", openai_key=KEY, model_folders=bare.model_folders)
    assert KEY not in repr(setup)
    assert KEY not in row.ready(setup).message


@pytest.mark.parametrize("name", ["x" * 400, "a\nb", "a\x00"])
def test_names_that_are_none_are_told(row: Backend, bare: Setup, name: str) -> None:
    with pytest.raises(InputError, match="model"):
        require_model(row, name, bare)


def test_a_server_that_offers_nothing_wants_a_name(bare: Setup) -> None:
    with pytest.raises(InputError, match="offers none; expected a name"):
        require_model(BACKENDS["openai"], "", bare)
    assert require_model(BACKENDS["openai"], "my-model", bare) == "my-model"
