"""Entries made by code, and the two ways that they go: to a sample and to ShareGPT."""

from __future__ import annotations

from typing import Any

import pytest
from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.sample import Sample

ASK = {"from": "human", "value": "<image>\nWhat?"}
ANSWER = {"from": "gpt", "value": "A cat."}


def chat(**keys: Any) -> dict[str, Any]:
    return {"conversations": [dict(ASK), dict(ANSWER)], **keys}


def load(entry: dict[str, Any]) -> Sample:
    return formats.load(entry, origin="t.json[0]")


def hub(entry: dict[str, Any]) -> dict[str, Any]:
    return formats.to_sharegpt(entry, origin="t.json[0]")


def code(entry: dict[str, Any]) -> str:
    codes = set()
    for step in (load, hub):
        with pytest.raises(SampleError, match=r"^t\.json\[0\].*: .*; .*expected.*; ") as caught:
            step(entry)
        codes.add(caught.value.code)
    (one,) = codes
    return one


def messages(content: Any, **keys: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A cat."}], **keys}
