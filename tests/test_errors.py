"""Errors survive the way between processes, and every reason that is given is explained."""

from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path

import mm2energon
import pytest
from mm2energon import errors
from mm2energon.errors import REASONS, DependencyError, InputError, MediaError, SampleError, ToolkitError

SOURCES = sorted(Path(mm2energon.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("kind", [SampleError, MediaError])
def test_a_sample_error_keeps_its_message_and_its_code_between_processes(kind: type[SampleError]) -> None:
    error = kind("train.json[3]: found; expected; do", "tag-count")
    for again in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (type(again), str(again), again.code) == (kind, "train.json[3]: found; expected; do", "tag-count")


@pytest.mark.parametrize("kind", [ToolkitError, InputError, DependencyError])
def test_other_errors_keep_their_message_between_processes(kind: type[ToolkitError]) -> None:
    again = pickle.loads(pickle.dumps(kind("x: found; expected; do")))
    assert (type(again), str(again)) == (kind, "x: found; expected; do")


def test_one_base_catches_every_error_and_a_sample_error_is_no_input_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, ToolkitError) for kind in kinds)
    assert issubclass(MediaError, SampleError)
    assert not issubclass(SampleError, InputError) and not issubclass(InputError, SampleError)


def test_a_missing_extra_is_told_with_the_line_that_installs_it() -> None:
    assert "pip install 'mm2energon[energon]'" in str(errors.missing_extra("torch", "energon"))


def constants(node: ast.expr) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def codes_given() -> set[str]:
    """Every reason code that the library's source gives to an error as a literal."""
    given: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id in ("SampleError", "MediaError") and len(node.args) == 2:
                given |= {node.args[1].value} if isinstance(node.args[1], ast.Constant) else set()
    return given


def test_every_code_that_is_given_is_explained() -> None:
    assert len(codes_given()) > 15
    assert codes_given() <= REASONS.keys()


def test_every_reason_that_is_explained_is_given_somewhere() -> None:
    written: set[str] = set()
    for path in SOURCES:
        if path.name != "errors.py":
            written |= constants(ast.parse(path.read_text(encoding="utf-8")))  # type: ignore[arg-type]
    assert REASONS.keys() - written == set()
