"""Any JSON value among the entries: each is written, or set aside as it was, and nothing raises but our own errors."""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mm2energon.errors import REASONS, ToolkitError
from mm2energon.pipeline.loop import silent

from pipeline.making import (
    chat,
    image_entry,
    stored,
    strict_json,
    strict_lines,
    text_entry,
    video_entry,
    write_frames,
    write_images,
)

#: Strings that mean something to some part of the library, or to the file system.
WORDS = [
    *("", " ", ".", "..", "/", "a.", "a/", "p0.jpg", "./p0.jpg", "p0.jpg/x", "v.mp4", "v", "v.json", "dataset.json"),
    *(
        "../x",
        "/etc/hosts",
        "\0",
        "a\nb\r\x1b[31m",
        "\ud800",
        "\udcff.png",
        "x" * 300,
        "http://a/b",
        "data:,",
        "file://p0.jpg",
    ),
    *("<image>", "<video>", "<audio>", "<|im_end|>", "human", "gpt", "system", "image", "text", "[1]", "{}", "NaN"),
]
KEYS = [
    *("conversations", "messages", "from", "value", "role", "content", "type", "text", "id", "system", "url", "fps"),
    *("image", "images", "video", "videos", "audio", "audios", "origin", "reason", "entry", "by", "of"),
]
PARTS = [{"type": "image", "image": "p0.jpg"}, {"type": "text", "text": "What?"}]
SOUND = [
    text_entry(id=1),
    image_entry("p0.jpg", "p1.jpg"),
    video_entry("v.mp4"),
    video_entry(["v/00001.jpg", "v/00002.jpg"]),
    {"image": "p0.jpg", "conversations": chat("<image>q"), "system": "Be kind."},
    {"messages": [{"role": "user", "content": PARTS}, {"role": "assistant", "content": "A cat."}]},
    {"conversations": chat("<audio>q"), "audios": ["p0.jpg"]},
]


def nested(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


words = st.sampled_from(WORDS) | st.text(st.characters(), max_size=20)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**64), 10**999, 5e-324, -0.0, 1.7e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
json_values = st.recursive(
    plain | st.integers(1, 50).map(nested),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | words, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside of a value: what holds it, and under which key or number."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@st.composite
def near_entries(draw: st.DrawFn) -> Any:
    """A sound entry with something in it replaced, taken out or added."""
    entry = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(0, 2))):
        inside = list(places(entry))
        if not inside:
            break
        holder, key = draw(st.sampled_from(inside))
        change = draw(st.sampled_from(["replace", "take out", "add"]))
        if change == "take out":
            del holder[key]
        else:
            new = draw(json_values)
            if change == "add" and isinstance(holder, dict):
                key = draw(st.sampled_from(KEYS))
            holder[key] = new
    return entry


entries = st.lists(near_entries() | json_values | st.lists(near_entries(), max_size=3), max_size=8)


def single(value: Any, origin: str) -> Iterator[tuple[str, Any]]:
    """The entries that a value of the file stands for, with what they are called; a list of one is that one."""
    if not isinstance(value, list) or not value:
        yield origin, value
    elif len(value) == 1:
        yield from single(value[0], origin)
    else:
        for number, inner in enumerate(value):
            yield from single(inner, f"{origin}[{number}]")


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not 1.0, nor true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def run(command: str, *options: object) -> int:
    """The exit status of a command; unlike on the command line, an error of the system is none of ours."""
    module: Any = importlib.import_module(f"mm2energon.commands.{command}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args([str(option) for option in options]), silent).status)
    except ToolkitError:
        return 1


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset root with two pictures and the frames of a video."""
    root = tmp_path_factory.mktemp("root")
    write_images(root, 2)
    write_frames(root, "v", 4)
    return root


def commands(root: Path, source: Path) -> dict[str, tuple[list[object], list[object], Path]]:
    """Each command with its options, those of a retry, and where its output goes."""
    out = root / "out"
    base = ["--dataset-root", root, "--workers", 1]
    frames = ["--no-frames", "--output-json", "out/dataset.jsonl"]
    shard = [*base, "--val-split", 0, "--output"]  # equal entries in two splits would be a fault
    return {
        "normalize": (
            ["--input-file", source, "--output-file", out / "d.json"],
            ["--output-file", out / "d.json"],
            out,
        ),
        "frames": ([*base, *frames], [*base, *frames], out),
        "shard": ([*shard, out, "--json", source], [*shard, root / "out-2"], out),
    }


def written_to(command: str, output: Path) -> list[Any]:
    if command == "shard":
        return stored(output)
    if command == "normalize":
        return strict_json((output / "d.json").read_bytes()) if (output / "d.json").exists() else []
    return strict_lines(output / "dataset.jsonl")


@pytest.mark.parametrize("command", ["normalize", "frames", "shard"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(values=entries, lines=st.booleans(), indent=st.sampled_from([None, 1]))
def test_any_value_is_written_or_set_aside_as_it_was(
    root: Path, command: str, values: list[Any], lines: bool, indent: int | None
) -> None:
    if command == "frames":
        values = [text_entry(), *values]  # by which it is known as a file of annotations
    values = json.loads(json.dumps(values))  # the two halves of a pair become one character
    assume(not (lines and len(values) == 1 and isinstance(values[0], list)))  # one line with a list is an array
    for folder in ("out", "out-2"):
        shutil.rmtree(root / folder, ignore_errors=True)
    text = "".join(json.dumps(value) + "\n" for value in values) if lines else json.dumps(values, indent=indent)
    source = root / "any.json"
    source.write_text(text)
    options, again, output = commands(root, source)[command]
    status = run(command, *options)

    names = (f"any.json:{n + 1}" if lines else f"any.json[{n}]" for n in range(len(values)))
    read = dict(pair for name, value in zip(names, values, strict=True) for pair in single(value, name))
    aside = strict_lines(output / "set_aside.jsonl")
    refused = {line["origin"]: line["entry"] for line in aside}
    assert len(refused) == len(aside) and list(refused) == [origin for origin in read if origin in refused]
    assert all(same(read[origin], entry) for origin, entry in refused.items())
    assert all(line["reason"] in REASONS and line["origin"] in line["message"] for line in aside)
    assert all(line["message"].isprintable() for line in aside)
    written = written_to(command, output)
    assert len(written) == len(read) - len(refused)
    assert status == (1 if not written else 3 if refused else 0)
    if not read:
        return
    report = strict_json((output / "report.json").read_bytes())
    assert report["read"] == len(read) and sum(report["written"].values()) == len(written)
    assert report["set_aside"] == Counter(line["reason"] for line in aside)
    if command == "normalize":
        kept = [value for origin, value in read.items() if origin not in refused]
        assert all(same(new.get("id"), old.get("id")) for new, old in zip(written, kept, strict=True))
    if command == "shard" and written:
        assert run("verify", output, "--skip-energon") == 0
    if refused:
        check_retry(command, again, output, written=len(written))


def check_retry(command: str, again: list[object], output: Path, *, written: int) -> None:
    """What was set aside is set aside again when nothing was mended, for the same reasons, and nothing is lost."""
    before = (output / "set_aside.jsonl").read_bytes()
    shutil.copy(output / "set_aside.jsonl", output / "again.jsonl")
    assert run(command, "--retry", output / "again.jsonl", *again) == 1
    new = output.with_name("out-2") if command == "shard" else output
    assert (new / "set_aside.jsonl").read_bytes() == before
    assert len(written_to(command, output)) == written
