"""JSON that no honest program writes: it costs its entry, or all behind it, and the account says so plainly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from mm2energon import cli

from pipeline.making import chat, stored, strict_json, strict_lines, text_entry

LEVELS = 100_000


@dataclass(frozen=True)
class Case:
    """An entry between two sound ones."""

    text: bytes
    #: What its message says of it; None: it is written.
    fault: str | None = None
    #: An array cannot be read behind it.
    breaks_off: bool = False


def with_extra(value: bytes) -> bytes:
    """An entry that is sound but for what one of its keys holds."""
    return b'{"conversations": ' + json.dumps(chat()).encode() + b', "more": ' + value + b"}"


DEEP = "more than 200 levels of lists and objects"
BYTE = "a byte that is not UTF-8"
CASES = {
    "200 levels": Case(with_extra(b"[" * 199 + b"]" * 199)),
    "201 levels": Case(with_extra(b"[" * 200 + b"]" * 200), DEEP),
    "lists of 100,000 levels": Case(b"[" * LEVELS + b"]" * LEVELS, DEEP, breaks_off=True),
    "objects of 100,000 levels": Case(with_extra(b'{"a":' * LEVELS + b"1" + b"}" * LEVELS), DEEP, breaks_off=True),
    "100,000 lists that never end": Case(b"[" * LEVELS, DEEP, breaks_off=True),
    "a text of 5 MB": Case(with_extra(b'"' + b"x" * 5_000_000 + b'"')),
    "a text of 5 MB, and NaN": Case(with_extra(b'["' + b"x" * 5_000_000 + b'", NaN]'), "NaN is no JSON number"),
    "a text of 5 MB without its end": Case(with_extra(b'"' + b"x" * 5_000_000), "character ", breaks_off=True),
    "NaN": Case(with_extra(b"NaN"), "NaN is no JSON number"),
    "minus infinity": Case(with_extra(b"[-Infinity]"), "-Infinity is no JSON number"),
    "5,000 digits": Case(with_extra(b"-" + b"7" * 5000), "a number of 5000 digits"),
    "1,000 digits": Case(with_extra(b"7" * 1000)),
    "a float beyond all": Case(with_extra(b"1e999"), "1e999 is too large a number"),
    "a float of 5,000 digits": Case(with_extra(b"7" * 5000 + b".5"), "is too large a number"),
    "a float near nothing": Case(with_extra(b"1e-999")),
    "a byte of latin-1": Case(with_extra('"ä"'.encode("latin-1")), BYTE),
    "an overlong slash": Case(with_extra(b'"\xc0\xaf"'), BYTE),
    "half a character": Case(with_extra(b'"\xe2\x82"'), BYTE),
    "a surrogate in UTF-8": Case(with_extra(b'"\xed\xa0\x80"'), BYTE),
    "a byte in a key": Case(b'{"\xff": 1}', BYTE),
    "half of a surrogate pair": Case(with_extra(b'"\\ud800"')),
    "null, escaped": Case(with_extra(b'"\\u0000"')),
    "null": Case(with_extra(b'"\0"'), "Invalid control character"),
    "a control character": Case(with_extra(b'"\x1b[31m"'), "Invalid control character"),
    "LaTeX": Case(with_extra(b'"\\sqrt{2}"'), "Invalid \\escape"),
    "null outside of a text": Case(b"\0", "Expecting value", breaks_off=True),
    "trailing comma": Case(b'{"conversations": [],}', "Expecting property name", breaks_off=True),
    "no quotes": Case(b"{conversations: []}", "Expecting property name", breaks_off=True),
    "cut off": Case(b'{"conversations": [1', "Expecting ',' delimiter", breaks_off=True),
    "UTF-16": Case("{}".encode("utf-16"), "Expecting value", breaks_off=True),
}


FIRST, LAST = (Case(json.dumps(text_entry(number)).encode()) for number in (1, 2))
#: What stands in one file; behind what breaks an array off stands nothing but more of that.
FILES = {
    **{name: [FIRST, case, LAST] for name, case in CASES.items()},
    "all": [FIRST, LAST, *sorted(CASES.values(), key=lambda case: case.breaks_off)],
}


@pytest.mark.parametrize("shape", ["array", "lines"])
@pytest.mark.parametrize(("command", "name"), [*product(["normalize"], CASES), ("frames", "all"), ("shard", "all")])
def test_entries_of_hostile_json_cost_themselves_and_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str, shape: str
) -> None:
    cases, lines = FILES[name], shape == "lines"
    texts = [case.text for case in cases]
    source = tmp_path / "t.json"
    source.write_bytes(b"\n".join(texts) if lines else b"[" + b",\n".join(texts) + b"]")
    status = run(command, source)
    said = capsys.readouterr()

    breaks = [place for place, case in enumerate(cases) if case.breaks_off]
    if breaks and not lines:
        cases = cases[: breaks[0] + 1]
        assert f"broken: t.json cannot be read behind entry {breaks[0] - 1};" in said.out
    refused = {f"t.json:{n + 1}" if lines else f"t.json[{n}]": case for n, case in enumerate(cases) if case.fault}
    kept = [json.loads(case.text) for case in cases if not case.fault]
    assert status == (3 if refused else 0) and said.err == ""
    out = tmp_path / "out"
    lost = [] if lines else [f"t.json[{place}]" for place in breaks[:1]]
    check_report(out, read=len(cases), written=len(kept), lost=lost)
    assert sorted(map(json.dumps, written_to(command, out))) == sorted(map(json.dumps, kept))
    aside = strict_lines(out / "set_aside.jsonl")
    assert [line["origin"] for line in aside] == list(refused)
    for line, case in zip(aside, refused.values(), strict=True):
        check_line(line, case, is_lost=line["origin"] in lost)
    if refused:
        check_retry(tmp_path, command)


def check_line(line: dict[str, Any], case: Case, *, is_lost: bool) -> None:
    """What is said of an entry that was set aside names the place and the fault, and the entry is kept."""
    assert line["reason"] == "broken-json"
    assert line["entry"] == (None if is_lost else case.text.decode("utf-8", "surrogateescape"))
    assert line["message"].startswith(f"{line['origin']}: not valid JSON (")
    assert line["message"].isprintable() and len(line["message"]) < 250
    assert case.fault is not None and case.fault in line["message"]
    assert not is_lost or re.search(r"[(]line \d+, character \d+ of the file: ", line["message"])


def run(command: str, source: Path, *, retry: Path | None = None) -> int:
    """The exit status of a command that reads a file, or what was set aside of it before."""
    root = source.parent
    base = ["--dataset-root", root, "--workers", 1]
    again = ["--retry", retry] if retry else []
    options: list[object] = {
        "normalize": [*(again or ["--input-file", source]), "--output-file", root / "out/d.json"],
        "frames": [*base, "--no-frames", "--output-json", "out/d.json", *again],
        "shard": [*base, "--output", root / ("out-2" if retry else "out"), *(again or ["--json", source.name])],
    }[command]
    return cli.main([command, *map(str, options)])


def written_to(command: str, output: Path) -> list[Any]:
    """The entries of a dataset, or of shards."""
    if command != "shard":
        return list(strict_json((output / "d.json").read_bytes()))
    return [{"conversations": one.text["conversations"], **one.text.get("extra", {})} for one in stored(output)]


def check_report(out: Path, *, read: int, written: int, lost: list[str]) -> None:
    report = strict_json((out / "report.json").read_bytes())
    assert (report["read"], sum(report["written"].values()), report["lost_behind"]) == (read, written, lost)
    assert sum(report["set_aside"].values()) == read - written


def check_retry(root: Path, command: str) -> None:
    """What was not mended is set aside again, in the same words."""
    before = (root / "out/set_aside.jsonl").read_bytes()
    (root / "again.jsonl").write_bytes(before)
    assert run(command, root / "t.json", retry=root / "again.jsonl") == 1
    new = root / ("out-2" if command == "shard" else "out")
    assert (new / "set_aside.jsonl").read_bytes() == before


SOUND = json.dumps([text_entry(1), text_entry(2)]).encode()
ONE = json.dumps(text_entry(1)).encode()
NO_ENTRIES, NONE_OF_ONE, NO_TEXT = (
    "holds no entries",
    "none of its 1 entries can be written",
    "UTF-16, UTF-32 or no text",
)
#: A file as a whole, what is said when nothing is written, and how many entries are.
WHOLE = {
    "nothing": (b"", NO_ENTRIES, 0),
    "white space": (b" \r\n\t\n", NO_ENTRIES, 0),
    "a mark of the byte order": (b"\xef\xbb\xbf", NO_ENTRIES, 0),
    "no entries": (b"[]", NO_ENTRIES, 0),
    "null": (b"null", NONE_OF_ONE, 0),
    "an empty object": (b"{}", NONE_OF_ONE, 0),
    "a bracket": (b"]", NONE_OF_ONE, 0),
    "an opened bracket": (b"[", NONE_OF_ONE, 0),
    "zeros": (bytes(100), NO_TEXT, 0),
    "UTF-16": (SOUND.decode().encode("utf-16"), NO_TEXT, 0),
    "UTF-16 without its mark": (SOUND.decode().encode("utf-16-be"), NO_TEXT, 0),
    "UTF-32": (SOUND.decode().encode("utf-32"), NO_TEXT, 0),
    "a picture": (b"\xff\xd8\xff\xe0\x00\x10JFIF", NONE_OF_ONE, 0),
    "with a mark of the byte order": (b"\xef\xbb\xbf" + SOUND, None, 2),
    "two arrays": (SOUND + b"\n" + SOUND, None, 4),
    "entries in lists in lists": (b"[[[%b]], [%b, [%b]]]" % (ONE, ONE, ONE), None, 3),
    "one entry over several lines": (json.dumps(text_entry(1), indent=1).encode(), None, 1),
    "a comma behind the last": (SOUND[:-1] + b",]", None, 2),
    "without its last bracket": (SOUND[:-1], None, 2),
    "cut off in an entry": (SOUND[:-20], None, 1),
    "cut off in a character": (SOUND[:-1] + b', {"id": "\xe2', None, 2),
    "something behind the array": (SOUND + b" x", None, 2),
}


@pytest.mark.parametrize("command", ["normalize", "frames", "shard"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_of_hostile_json_is_read_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    data, fault, written = WHOLE[name]
    source = tmp_path / "t.json"
    source.write_bytes(data)
    status = run(command, source)
    said = capsys.readouterr()
    out = tmp_path / "out"
    aside = strict_lines(out / "set_aside.jsonl")
    assert status == (1 if fault else 3 if aside else 0)
    if fault is None:
        assert len(written_to(command, out)) == written
        check_report(out, read=written + len(aside), written=written, lost=[line["origin"] for line in aside])
        assert [line["origin"] for line in aside] == [f"t.json[{written}]"] * len(aside) and len(aside) <= 1
        return
    expected = "no annotation file" if command == "frames" else fault
    assert re.fullmatch(rf"error: {re.escape(str(tmp_path))}.*{re.escape(expected)}.*\n", said.err)
    assert not (out / "d.json").exists() and not list(out.glob("*.tar"))
    if fault == NONE_OF_ONE and command != "frames":
        check_report(out, read=1, written=0, lost=["t.json[0]"] if data == b"[" else [])


def test_of_a_key_that_stands_twice_the_last_holds(tmp_path: Path) -> None:
    """As every other reader of JSON takes it."""
    turns = json.dumps(chat())
    (tmp_path / "t.json").write_text(f'[{{"conversations": 1, "id": "a", "id": "b", "conversations": {turns}}}]')
    assert run("normalize", tmp_path / "t.json") == 0
    assert written_to("normalize", tmp_path / "out") == [{"conversations": chat(), "id": "b"}]
