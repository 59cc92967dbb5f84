"""Companions: the files by which trainers find what was converted for them, and what their readers ask of an output."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mm2energon.jsonio import dumps, loads, read_entries, type_name
from mm2energon.locks import LockFile
from mm2energon.pipeline.ledger import noted, write_noted
from mm2energon.terminal import known

#: Trainers that read one JSON array, and those that read JSON lines, by the name's ending alone.
_ARRAYS = frozenset({"minicpm-v", "videollama2"})
_LINES = frozenset({"internvl"})
#: Trainers that read by way of Arrow, in which a key has one type throughout a file.
_BY_ARROW = frozenset({"llama-factory", "ms-swift"})


@dataclass(frozen=True)
class Companions:
    """What lies beside the outputs for their trainers."""

    written: list[Path] = field(default_factory=list)
    #: What a file that is not ours would have to say.
    to_add: dict[str, Any] = field(default_factory=dict)
    #: What a trainer's reader asks that the outputs do not give it, and how to start it.
    advice: list[str] = field(default_factory=list)


def accompany(outputs: Iterable[tuple[str, Path]], *, root: Path) -> Companions:
    """Write the files by which trainers find the outputs, which are (format, file)."""
    found = Companions()
    told: defaultdict[Path, list[_Told]] = defaultdict(list)
    for name, output in outputs:
        found.advice.extend(_of_its_name(name, output))
        if name not in _ABOUT and name not in _BY_ARROW:
            continue
        survey = _survey(output)
        found.advice.extend(_of_its_types(output, survey) if name in _BY_ARROW else ())
        if name in _ABOUT:
            told[output.with_name(_NAMES[name].format(output.stem))].append(_Told(name, output, survey))
        if name == "llama-factory":
            folder = known(str(output.parent))
            advice = f"start LLaMA-Factory with dataset_dir: {folder}, media_dir: {known(str(root))}"
            found.advice.extend([] if advice in found.advice else [advice])
    for path, outputs_of_it in told.items():
        _accompany(path, outputs_of_it, root, found)
    return found


def _accompany(path: Path, outputs: Iterable[_Told], root: Path, found: Companions) -> None:
    """Write one such file, once for all outputs that it is about."""
    lock = LockFile.enter(path.with_name(f".{path.name}.lock"))  # another run may be adding to the same file
    try:
        value = _read(path)
        for one in outputs:
            value = _ABOUT[one.name](one.output, root, one.survey, value)
        _write(path, value, found)
    finally:
        lock.leave()


@dataclass
class _Survey:
    """What stands in an output."""

    count: int = 0
    #: Key -> the names of its values' types.
    types: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class _Told(NamedTuple):
    """An output, and what stands in it."""

    name: str
    output: Path
    survey: _Survey


def _survey(output: Path) -> _Survey:
    survey = _Survey()
    for entry in read_entries(output):
        survey.count += 1
        for key, value in entry.value.items():
            if value is not None:
                survey.types[key].add(_type_of(value))
    return survey


def _type_of(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], (str, list)):
        return "a list of lists" if isinstance(value[0], list) else "a list of strings"
    return "a boolean" if isinstance(value, bool) else type_name(value)


def _llama_factory(output: Path, _root: Path, survey: _Survey, before: Mapping[str, Any]) -> dict[str, Any]:
    """`dataset_info.json` (data/README.md of LLaMA-Factory); it is refused a column that no entry has."""
    media = [key for key in ("images", "videos", "audios") if key in survey.types]
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    about = {
        "file_name": output.name,
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", **{key: key for key in media}},
        "tags": {**tags, "system_tag": "system"},
    }
    others = {
        name: other
        for name, other in before.items()
        if isinstance(other, dict) and output.with_name(str(other.get("file_name"))).is_file()
    }
    is_taken = others.get(output.stem, about)["file_name"] != output.name
    return {**others, output.name if is_taken else output.stem: about}


def _internvl(output: Path, root: Path, survey: _Survey, _before: Mapping[str, Any]) -> dict[str, Any]:
    """The meta file ("Meta file" in InternVL's documentation)."""
    about = {
        "root": f"{known(str(root))}/",
        "annotation": known(str(output)),
        "data_augment": False,
        "repeat_time": 1,
        "length": survey.count,
    }
    return {output.stem: about}


def own_companion(name: str, output: Path) -> Path | None:
    """The file that is about one output of a format alone; None where there is none."""
    pattern = _NAMES.get(name, "")
    return output.with_name(pattern.format(output.stem)) if "{}" in pattern else None


def is_companion_name(name: str) -> bool:
    """Whether such a file may have that name."""
    return any(fnmatch.fnmatchcase(name, pattern.format("*")) for pattern in _NAMES.values())


#: What the file is called, by the stem of the output, and what it says, also of what it has said before.
_NAMES = {"llama-factory": "dataset_info.json", "internvl": "{}.meta.json"}
_ABOUT: dict[str, Callable[[Path, Path, _Survey, Mapping[str, Any]], dict[str, Any]]] = {
    "llama-factory": _llama_factory,
    "internvl": _internvl,
}


def _write(path: Path, value: dict[str, Any], found: Companions) -> None:
    if path.exists() and noted(path) is None:
        theirs = _read(path)
        found.to_add.update({name: about for name, about in value.items() if theirs.get(name) != about})
        return
    write_noted(path, dumps(value) + b"\n", about={"by": "convert"})
    found.written.append(path)


def _read(path: Path) -> dict[str, Any]:
    """What such a file says; nothing, where there is none or it is broken."""
    try:
        value = loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _of_its_name(name: str, output: Path) -> list[str]:
    is_lines = output.suffix == ".jsonl"
    if name in _LINES and not is_lines:
        return [f"{output.name}: the trainer of {name} reads JSON lines; a name that ends in .jsonl was expected"]
    if name in _ARRAYS and is_lines:
        return [f"{output.name}: the trainer of {name} reads one JSON array; a name that ends in .json was expected"]
    return []


def _of_its_types(output: Path, survey: _Survey) -> list[str]:
    return [
        f'{output.name}: "{key}" is {" or ".join(sorted(types))}, where the trainer wants one type throughout a file '
        "(it reads with Arrow); make them one, or take the key out"
        for key, types in survey.types.items()
        if len(types) > 1
    ]
