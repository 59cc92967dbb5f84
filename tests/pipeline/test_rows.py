"""Rows of Parquet and Arrow files are entries; what else lies in the folder of a saved dataset is none."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from media import write_image
from mm2energon import cli
from mm2energon.errors import InputError
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.rows import are_rows, read_rows
from pyarrow import ipc, parquet

from pipeline.making import chat


def rows_of(source: Path, root: Path) -> list[tuple[str, Any]]:
    how = Reshaping(root=root, media_folder=root / "media")
    assert are_rows(source)
    return [(entry.origin, entry.value) for entry in read_rows(source, how)]


def write_arrow(path: Path, *ids: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist([{"id": one} for one in ids])
    with ipc.new_stream(str(path), table.schema) as out:
        out.write_table(table)
    return path


def save(folder: Path, *names: str) -> None:
    """What `save_to_disk` leaves beside the files that it names."""
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


def test_of_a_dataset_of_several_splits_each_row_comes_once_and_says_its_split(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    for split in ("train", "test"):
        write_arrow(saved / split / "data-00000-of-00001.arrow", split)
        save(saved / split, "data-00000-of-00001.arrow")
    write_arrow(saved / "train" / "cache-0123456789abcdef.arrow", "stale")
    write_arrow(saved / "gone" / "data-00000-of-00001.arrow", "a split that is no more")
    (saved / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert rows_of(saved, tmp_path) == [
        ("train/data-00000-of-00001.arrow[0]", {"id": "train"}),
        ("test/data-00000-of-00001.arrow[0]", {"id": "test"}),
    ]


def test_a_folder_of_parquet_files_is_read_by_name_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("data/train-1.parquet", "data/train-0.parquet", ".cache/old.parquet"):
        path = tmp_path / "hub" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.Table.from_pylist([{"id": name}]), path)
    assert [origin for origin, _ in rows_of(tmp_path / "hub", tmp_path)] == [
        "data/train-0.parquet[0]",
        "data/train-1.parquet[0]",
    ]


def test_an_arrow_file_alone_is_read_in_either_shape(tmp_path: Path) -> None:
    assert rows_of(write_arrow(tmp_path / "a.arrow", "1", "2"), tmp_path)[1] == ("a.arrow[1]", {"id": "2"})
    table = pyarrow.Table.from_pylist([{"id": str(number)} for number in range(100)])
    with ipc.new_file(str(tmp_path / "b.ARROW"), table.schema) as out:
        out.write_table(table)
    assert [value["id"] for _, value in rows_of(tmp_path / "b.ARROW", tmp_path)] == [str(n) for n in range(100)]


def test_pictures_that_are_bytes_alone_become_files(tmp_path: Path) -> None:
    data = write_image(tmp_path / "p.png", number=3).read_bytes()
    row = {"image": data, "conversations": chat("<image>What?"), "digest": b"\0\1"}
    parquet.write_table(pyarrow.Table.from_pylist([row, {**row, "image": b"odd"}]), tmp_path / "r.parquet")
    (_, first), (_, second) = rows_of(tmp_path / "r.parquet", tmp_path)
    assert first["image"].endswith(".png") and (tmp_path / first["image"]).read_bytes() == data
    assert second["image"] == "data:application/octet-stream;base64,b2Rk"  # convert writes it to a file, too
    assert first["digest"] == "data:application/octet-stream;base64,AAE="
    command = ["convert", str(tmp_path / "r.parquet"), str(tmp_path / "o.json"), "--to", "llava"]
    assert cli.main([*command, "--dataset-root", str(tmp_path)]) == 0
    paths = [entry["image"] for entry in json.loads((tmp_path / "o.json").read_text())]
    assert [(tmp_path / path).read_bytes() for path in paths] == [data, b"odd"]


def test_times_and_decimals_are_said_as_text(tmp_path: Path) -> None:
    row = {
        "when": datetime.datetime(2024, 5, 6, 7, 8, 9),
        "day": datetime.date(2024, 5, 6),
        "took": datetime.timedelta(seconds=90),
        "price": Decimal("1.50"),
    }
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "r.parquet")
    ((_, value),) = rows_of(tmp_path / "r.parquet", tmp_path)
    assert value == {"when": "2024-05-06T07:08:09", "day": "2024-05-06", "took": "0:01:30", "price": "1.50"}


def test_a_path_beside_the_file_goes_before_one_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.jpg", "data/a.jpg", "b.jpg"):
        write_image(tmp_path / name, number=1)
    rows = [{"image": {"bytes": None, "path": name}} for name in ("a.jpg", "b.jpg", "c.jpg")]
    schema = pyarrow.schema([("image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))])
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), tmp_path / "data" / "r.parquet")
    found = [value["image"] for _, value in rows_of(tmp_path / "data" / "r.parquet", tmp_path)]
    assert found == ["data/a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize("cut", [0, 50, 500])
def test_a_file_that_was_cut_off_is_told_by_its_name(tmp_path: Path, cut: int) -> None:
    parquet.write_table(pyarrow.Table.from_pylist([{"id": "a" * 999}]), tmp_path / "r.parquet")
    (tmp_path / "r.parquet").write_bytes((tmp_path / "r.parquet").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"r\.parquet: cannot be read \(.*a whole file was expected; mend it"):
        rows_of(tmp_path / "r.parquet", tmp_path)


def test_a_broken_state_of_a_saved_dataset_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json: not valid JSON"):
        rows_of(tmp_path / "saved", tmp_path)
