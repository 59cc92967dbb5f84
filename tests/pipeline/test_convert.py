"""Convert: each entry is written as the other format says it, or set aside with the reason; nothing else is lost."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from formats.test_table import example
from media import read_number, write_clip, write_image
from mm2energon import cli, formats
from mm2energon.formats import FORMATS
from pyarrow import ipc, parquet

from pipeline.making import chat, run_shard, set_aside, stored, tree_times, write_frames, write_images, write_json
from pipeline.test_frames import run_frames


def run_convert(*arguments: object) -> int:
    return cli.main(["convert", *map(str, arguments)])


def entries_of(path: Path) -> list[Any]:
    text = path.read_text()
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def converted(folder: Path, entries: list[Any], *options: object, name: str = "out.json") -> list[Any]:
    source = write_json(folder / "in.json", entries)
    run_convert(source, folder / name, "--dataset-root", folder, *options)
    return entries_of(folder / name)


VIDEO = {
    "id": 7,
    "video": "films/v.mp4",
    "conversations": [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "A cat."}],
    "source": "web",
}


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("video-instruct", {"id": 7, "q": "What?", "a": "A cat.", "video_id": "films/v", "source": "web"}),
        (
            "videochat-finetune",
            {"id": 7, "video_path": "films/v.mp4", "text": "USER: What?\nASSISTANT: A cat.", "source": "web"},
        ),
        (
            "llava-next-video-hf",
            {
                **{"id": 7, "prompt": "USER: <video>\nWhat? ASSISTANT:", "answer": "A cat."},
                **{"video_path": "films/v.mp4", "source": "web"},
            },
        ),
        ("videollama3", {**VIDEO, "video": ["films/v.mp4"]}),
        (
            "llava-video-178k",
            {**VIDEO, "conversations": [{"from": "human", "value": "<image>\nWhat?"}, VIDEO["conversations"][1]]},
        ),
        (
            "ms-swift",
            {
                "id": 7,
                "messages": [{"role": "user", "content": "<video>\nWhat?"}, {"role": "assistant", "content": "A cat."}],
                "videos": ["films/v.mp4"],
                "source": "web",
            },
        ),
        (
            "messages-parts",
            {
                "id": 7,
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "video", "video": "films/v.mp4"}, {"type": "text", "text": "\nWhat?"}],
                    },
                    {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
                ],
                "source": "web",
            },
        ),
    ],
)
def test_an_entry_is_written_as_its_trainer_reads_it_and_comes_back(
    tmp_path: Path, name: str, entry: dict[str, Any]
) -> None:
    (tmp_path / "films").mkdir()
    write_clip(tmp_path / "films" / "v.mp4", frames=2)
    assert converted(tmp_path, [VIDEO], "--to", name) == [entry]
    assert run_convert(tmp_path / "out.json", tmp_path / "back.json", "--to", "llava", "--dataset-root", tmp_path) == 0
    assert entries_of(tmp_path / "back.json") == [VIDEO]


def test_what_a_format_cannot_say_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    two = {**VIDEO, "video": ["a.mp4", "b.mp4"], "conversations": chat("<video><video>")}
    source = write_json(tmp_path / "in.json", [VIDEO, two])
    assert run_convert(source, tmp_path / "out.jsonl", "--to", "videollama2") == 3
    assert entries_of(tmp_path / "out.jsonl") == [VIDEO]
    (line,) = set_aside(tmp_path)
    assert (line["origin"], line["reason"], line["entry"]) == ("in.json[1]", "cannot-hold", two)
    assert "2 videos, which an entry of videollama2 cannot hold" in line["message"]


LITERAL = {
    "conversations": [
        {"role": "system", "content": "You are a helpful assistant."},
        {
            "role": "user",
            "content": [
                {"type": "video", "video": {"video_path": "films/v.mp4", "fps": 1, "max_frames": 4}},
                {"type": "text", "text": "What?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
    ]
}


def test_the_three_templates_of_the_first_annotation_tool_are_written_literally(tmp_path: Path) -> None:
    bare = {key: VIDEO[key] for key in ("video", "conversations")}
    source = write_json(tmp_path / "in.json", [bare, {**bare, "conversations": VIDEO["conversations"] * 2}])
    assert run_convert(source, tmp_path / "out", "--to", "all-legacy") == 3
    names = {path.name: entries_of(path) for path in (tmp_path / "out").glob("model_*.jsonl")}
    assert names == {
        "model_train_videollama2.jsonl": [LITERAL],
        "model_train_qwen.jsonl": [LITERAL],
        "model_train_llava_next.jsonl": [
            {"prompt": "USER: What?\n<|video|>\nASSISTANT:", "answer": "A cat.", "video_path": "films/v.mp4"}
        ],
    }
    assert [line["origin"] for line in set_aside(tmp_path / "out")] == ["in.json[1]"]  # in all three, or in none


@pytest.mark.parametrize("name", ["videollama2", "qwen-finetune", "internvl", "llava-next-video", "legacy-llava-next"])
def test_the_system_turn_of_every_legacy_entry_is_left_out_where_a_format_has_none(tmp_path: Path, name: str) -> None:
    own = json.loads(json.dumps(LITERAL))
    own["conversations"][0]["content"] = "Be short."
    (entry,) = converted(tmp_path, [LITERAL, own], "--from", "legacy-qwen", "--to", name, name="o.jsonl")
    sample = FORMATS[name].load(entry, origin="o")
    assert [turn.role for turn in sample.turns] == ["user", "assistant"] and sample.videos == ("films/v.mp4",)
    assert [line["origin"] for line in set_aside(tmp_path)] == ["in.json[1]"]


def test_a_second_run_writes_nothing_and_other_formats_replace_only_what_is_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO])
    for said in (False, True):
        assert run_convert(source, tmp_path / "out.json", "--to", "llama-factory") == 0
        assert ("was complete already" in capsys.readouterr().out) is said
    before = tree_times(tmp_path)
    assert run_convert(source, tmp_path / "out.json", "--to", "llama-factory") == 0
    assert tree_times(tmp_path) == before
    assert run_convert(source, tmp_path / "out.json", "--to", "ms-swift") == 0
    (tmp_path / "mine.json").write_text("[]")
    assert run_convert(source, tmp_path / "mine.json", "--to", "ms-swift") == 1
    assert (tmp_path / "mine.json").read_text() == "[]"


def test_llama_factory_gets_its_dataset_info_and_internvl_its_meta_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO])
    assert run_convert(source, tmp_path / "cats.json", "--to", "llama-factory", "--dataset-root", tmp_path) == 0
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["cats"]["file_name"] == "cats.json" and info["cats"]["formatting"] == "sharegpt"
    assert info["cats"]["columns"]["messages"] == "conversations"
    assert run_convert(source, tmp_path / "cats.jsonl", "--to", "internvl", "--dataset-root", tmp_path) == 0
    meta = json.loads((tmp_path / "cats.meta.json").read_text())["cats"]
    assert meta == {
        **{"root": f"{tmp_path}/", "annotation": str(tmp_path / "cats.jsonl")},
        **{"data_augment": False, "repeat_time": 1, "length": 1},
    }
    (tmp_path / "dataset_info.json").write_text('{"mine": {}}')
    capsys.readouterr()
    assert run_convert(source, tmp_path / "dogs.json", "--to", "llama-factory", "--dataset-root", tmp_path) == 0
    assert (tmp_path / "dataset_info.json").read_text() == '{"mine": {}}'
    assert '"dogs": {' in capsys.readouterr().out


def test_llama_factory_is_told_of_the_columns_that_there_are_alone(tmp_path: Path) -> None:
    # Its converter asks each entry for every column that dataset_info.json names: KeyError where a file has none.
    picture = {"image": "p.jpg", "conversations": chat("<image>What?")}
    for name, entries in (("cats", [VIDEO]), ("dogs", [picture]), ("both", [picture, VIDEO])):
        converted(tmp_path, entries, "--to", "llama-factory", name=f"{name}.json")
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    columns = {name: sorted(about["columns"]) for name, about in info.items()}
    assert columns == {
        "cats": ["messages", "videos"],
        "dogs": ["images", "messages"],
        "both": ["images", "messages", "videos"],
    }


def test_what_joins_later_is_counted_and_named_for_the_trainers(tmp_path: Path) -> None:
    for name, out in (("internvl", "a.jsonl"), ("llama-factory", "b.jsonl")):
        entries = converted(tmp_path, [VIDEO, {"image": "p.jpg", "conversations": []}], "--to", name, name=out)
        assert len(entries) == 1
        (line,) = set_aside(tmp_path)
        line["entry"]["conversations"] = chat("<image>What?")
        (tmp_path / "mended.jsonl").write_text(json.dumps(line) + "\n")
        assert run_convert("--retry", tmp_path / "mended.jsonl", tmp_path / out, "--to", name) == 0
    assert json.loads((tmp_path / "a.meta.json").read_text())["a"]["length"] == 2
    columns = json.loads((tmp_path / "dataset_info.json").read_text())["b"]["columns"]
    assert sorted(columns) == ["images", "messages", "videos"]


def test_a_dataset_info_keeps_what_it_says_of_other_files_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cats.json", "dogs.json", "cats.jsonl", "gone.json"):
        converted(tmp_path, [VIDEO], "--to", "llama-factory", name=name)
    (tmp_path / "gone.json").unlink()
    converted(tmp_path, [VIDEO], "--to", "llama-factory", name="dogs.json")
    path = tmp_path / "dataset_info.json"
    info = json.loads(path.read_text())
    assert {name: about["file_name"] for name, about in info.items()} == {
        **{"cats": "cats.json", "dogs": "dogs.json", "cats.jsonl": "cats.jsonl"}
    }
    path.write_text(json.dumps({**info, "mine": {}}, indent=1))  # it is the user's now, and says all that it has to
    capsys.readouterr()
    converted(tmp_path, [VIDEO], "--to", "llama-factory", name="dogs.json")
    assert "add to it" not in capsys.readouterr().out and "mine" in json.loads(path.read_text())


def test_runs_at_the_same_time_all_add_to_the_dataset_info_of_their_folder(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO])
    names = [f"d{number}" for number in range(6)]
    command = [sys.executable, "-m", "mm2energon", "convert", "--to", "llama-factory", str(source)]
    runs = [subprocess.Popen([*command, str(tmp_path / f"{name}.json")], stdout=subprocess.DEVNULL) for name in names]
    assert [run.wait() for run in runs] == [0] * 6
    assert sorted(json.loads((tmp_path / "dataset_info.json").read_text())) == names
    assert not list(tmp_path.glob(".*.lock"))


@pytest.mark.parametrize(
    ("name", "out", "said"),
    [
        ("internvl", "out.json", "a name that ends in .jsonl was expected"),
        ("minicpm-v", "out.jsonl", "a name that ends in .json was expected"),
        ("llama-factory", "out.json", '"id" is a number or a string'),
        ("ms-swift", "out.json", '"id" is a number or a string'),
        ("internvl", "out.jsonl", None),
        ("qwen-finetune", "out.jsonl", None),
    ],
)
def test_what_a_trainer_cannot_read_of_a_whole_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, out: str, said: str | None
) -> None:
    entries = [{"id": number, "image": "p.jpg", "conversations": chat("<image>What?")} for number in (1, "1")]
    converted(tmp_path, entries, "--to", name, name=out)
    assert said in capsys.readouterr().out if said else "expected" not in capsys.readouterr().out


def test_the_ending_of_a_video_is_found_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    write_clip(tmp_path / "films" / "v_1.mkv", frames=2)
    (tmp_path / "films" / "v_1.txt").write_text("no video")
    for name in ("v_2.mp4", "v_2.mkv"):
        write_clip(tmp_path / "films" / name, frames=2)
    asked = [{"q": "What?", "a": "It.", "video_id": f"films/v_{number}"} for number in range(1, 4)]
    found = converted(tmp_path, asked, "--to", "sharegpt")
    assert [entry["videos"] for entry in found] == [["films/v_1.mkv"]]
    reasons = [(line["origin"], line["reason"]) for line in set_aside(tmp_path)]
    assert reasons == [("in.json[1]", "missing-media"), ("in.json[2]", "missing-media")]


def test_a_folder_of_pictures_is_a_video_of_t2vid(tmp_path: Path) -> None:
    folder = tmp_path / "pages" / "7"
    folder.mkdir(parents=True)
    for number in (10, 2, 1):
        write_image(folder / f"frame_{number}.png", number=number)
    entry = {"video": "pages/7.mp4", "conversations": chat("<video>\nWhat?")}
    (found,) = converted(tmp_path, [entry], "--from", "t2vid-synthetic", "--to", "sharegpt")
    assert found["videos"] == [[f"pages/7/frame_{number}.png" for number in (1, 2, 10)]]
    (back,) = converted(tmp_path, [found], "--to", "t2vid-synthetic", name="back.json")
    assert back["video"] == "pages/7"


@pytest.fixture
def with_frames(tmp_path: Path) -> Path:
    """A video of 5 s with its frames at 1 fps, the third with the number 60."""
    write_clip(tmp_path / "v.mp4", frames=150)
    write_json(tmp_path / "in.json", [{"video": "v.mp4", "conversations": chat("Look: <image>\nWhat?")}])
    assert run_frames(tmp_path, "--time-interval", 1) == 0
    return tmp_path


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--frames", 24), [0, 30, 60, 90, 120]),
        (("--frames", 3), [0, 60, 120]),
        # T2Vid: stretches of 4 / 3 frames, their ends at 0, 1, 3 and 4, and the middles of those.
        (("--frames", 3, "--frame-rule", "middle"), [0, 60, 90]),
    ],
)
def test_a_video_becomes_the_images_of_minicpm_v(
    with_frames: Path, options: tuple[object, ...], numbers: list[int]
) -> None:
    source = with_frames / "dataset.json"
    run_convert(source, with_frames / "out.json", "--to", "minicpm-v", "--dataset-root", with_frames, *options)
    (entry,) = entries_of(with_frames / "out.json")
    keys = [f"<image_{number:02d}>" for number in range(len(numbers))]
    assert list(entry["image"]) == keys
    assert [read_number(with_frames / path) for path in entry["image"].values()] == numbers
    assert entry["conversations"][0] == {
        "role": "user",
        "content": "".join(f"{key}\n" for key in keys) + "Look: \nWhat?",
    }


def test_images_that_are_frames_become_the_video_again(with_frames: Path) -> None:
    root = ["--dataset-root", with_frames]
    assert (
        run_convert(with_frames / "dataset.json", with_frames / "m.json", "--to", "minicpm-v", "--frames", 9, *root)
        == 0
    )
    assert run_convert(with_frames / "m.json", with_frames / "s.json", "--to", "llava", "--join-frames", *root) == 0
    (entry,) = entries_of(with_frames / "s.json")
    assert entry["video"] == "v.mp4"
    assert entry["conversations"][0]["value"] == "<video>\nLook: \nWhat?"


def test_the_frames_of_t2vids_own_script_are_taken_though_no_sidecar_says_their_rate(tmp_path: Path) -> None:
    folder = tmp_path / "extracted_frames" / "v_7"
    folder.mkdir(parents=True)
    for number in range(1, 12):
        write_image(folder / f"frame_{number:04d}.png", number=number)
    entry = {"id": "v_7", "video": "v_7.mp4", "conversations": chat("What?\n<video>")}
    source = tmp_path / "video-chatgpt.jsonl"
    source.write_text(json.dumps(entry) + "\n")
    root = ["--dataset-root", folder.parent]
    options = ("--frames", 4, "--frame-rule", "middle", *root)
    assert run_convert(source, tmp_path / "o.json", "--to", "minicpm-v", "--from", "video-chatgpt", *options) == 0
    (found,) = entries_of(tmp_path / "o.json")
    # T2Vid: stretches of 10 / 4 frames, their ends at 0, 2, 5, 8 and 10, and the middles of those, from 0.
    names = ["v_7/frame_0002.png", "v_7/frame_0004.png", "v_7/frame_0007.png", "v_7/frame_0010.png"]
    assert list(found["image"].values()) == names
    keys = "".join(f"<image_{number:02d}>\n" for number in range(4))
    assert found["conversations"][0]["content"] == f"{keys}What?"
    assert run_convert(tmp_path / "o.json", tmp_path / "b.json", "--to", "sharegpt", "--join-frames", *root) == 0
    (back,) = entries_of(tmp_path / "b.json")
    assert back["videos"] == [names] and back["conversations"][0]["value"] == "<video>\nWhat?"


@pytest.mark.parametrize("frames", [1, 3])
def test_several_videos_become_images_and_come_back(tmp_path: Path, frames: int) -> None:
    for name in ("v.mp4", "w.mp4"):
        write_clip(tmp_path / name, frames=150)
    first, second = "<video>\n<video>\nWhich?", "<video>\nAnd this?"
    turns = [*chat(first), *chat(second, "That.")]
    write_json(tmp_path / "in.json", [{"videos": ["v.mp4", "w.mp4", "v.mp4"], "conversations": turns}])
    assert run_frames(tmp_path, "--time-interval", 1) == 0
    root = ["--dataset-root", tmp_path]
    source = tmp_path / "dataset.json"
    assert run_convert(source, tmp_path / "m.json", "--to", "minicpm-v", "--frames", frames, *root) == 0
    (entry,) = entries_of(tmp_path / "m.json")
    assert len(entry["image"]) == 3 * frames
    assert run_convert(tmp_path / "m.json", tmp_path / "b.json", "--to", "sharegpt", "--join-frames", *root) == 0
    assert entries_of(tmp_path / "b.json") == [{"conversations": turns, "videos": ["v.mp4", "w.mp4", "v.mp4"]}]


def test_a_question_with_frames_and_another_image_keeps_its_images(tmp_path: Path) -> None:
    names = [*write_images(tmp_path / "v", 2), *write_images(tmp_path / "other", 1)]
    images = [f"v/{names[0]}", f"v/{names[1]}", f"other/{names[2]}"]
    entry = {"conversations": chat("<image><image><image>Which?"), "images": images}
    assert converted(tmp_path, [entry], "--to", "sharegpt", "--join-frames") == [entry]


@pytest.mark.parametrize("places", [(1, 0), (0, 0)])
def test_images_that_are_not_in_time_order_are_no_frames_of_a_video(tmp_path: Path, places: tuple[int, ...]) -> None:
    names = write_images(tmp_path, 2)
    entry = {"images": [names[place] for place in places], "conversations": chat("<image><image>Which?")}
    assert converted(tmp_path, [entry], "--to", "sharegpt", "--join-frames") == [
        {"conversations": entry["conversations"], "images": entry["images"]}
    ]


def test_entries_whose_media_are_not_there_are_set_aside_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    write_clip(tmp_path / "films" / "v.mp4", frames=2)
    gone = {**VIDEO, "video": "films/gone.mp4"}
    folder = {**VIDEO, "video": "films"}
    source = write_json(tmp_path / "in.json", [gone, VIDEO, folder])
    root = ["--dataset-root", tmp_path]
    assert run_convert(source, tmp_path / "all.json", "--to", "videollama2", *root) == 0
    assert run_convert(source, tmp_path / "out", "--to", "all-legacy", "--check-media", *root) == 3
    (entry,) = entries_of(tmp_path / "out" / "model_train_llava_next.jsonl")
    assert entry["video_path"] == "films/v.mp4"
    reasons = [(line["origin"], line["reason"]) for line in set_aside(tmp_path / "out")]
    assert reasons == [("in.json[0]", "missing-media"), ("in.json[2]", "missing-media")]


def test_a_video_without_frames_is_set_aside_when_frames_are_wanted(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", frames=2)
    source = write_json(tmp_path / "in.json", [{"video": "v.mp4", "conversations": chat("<video>")}])
    assert run_convert(source, tmp_path / "o.json", "--to", "minicpm-v", "--frames", 4, "--dataset-root", tmp_path) == 1
    assert [line["reason"] for line in set_aside(tmp_path)] == ["no-frames"]


def test_media_in_base64_become_files(tmp_path: Path) -> None:
    data = write_image(tmp_path / "p.png", number=5).read_bytes()
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    good, bad = (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}, *answer]}
        for url, answer in ((uri, [{"role": "assistant", "content": "A."}]), ("data:image/png;base64,???", []))
    )
    (entry,) = converted(tmp_path, [good, bad], "--to", "sharegpt")
    (path,) = entry["images"]
    assert path.startswith("media/") and path.endswith(".png")
    assert (tmp_path / path).read_bytes() == data
    assert [line["reason"] for line in set_aside(tmp_path)] == ["bad-media-list"]


def rows(folder: Path) -> tuple[pyarrow.Table, bytes]:
    data = write_image(folder / "p.jpg", number=9).read_bytes()
    image = {"bytes": data, "path": "p.jpg"}
    entries = [{"id": str(number), "images": [image], "messages": messages(number)} for number in range(3)]
    return pyarrow.Table.from_pylist(entries), data


def messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"<image>{number}?"}, {"role": "assistant", "content": "It."}]


@pytest.mark.parametrize("kind", ["file", "folder", "saved"])
def test_rows_of_parquet_and_of_saved_datasets_are_entries(tmp_path: Path, kind: str) -> None:
    table, data = rows(tmp_path)
    source = tmp_path / "rows"
    if kind == "file":
        source = tmp_path / "rows.parquet"
        parquet.write_table(table, source)
    else:
        source.mkdir()
    if kind == "folder":
        parquet.write_table(table, source / "train-00000-of-00001.parquet")
    if kind == "saved":
        with ipc.new_stream(str(source / "data-00000-of-00001.arrow"), table.schema) as out:
            out.write_table(table)
        (source / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    assert run_convert(source, tmp_path / "out.json", "--to", "sharegpt", "--dataset-root", tmp_path) == 0
    found = entries_of(tmp_path / "out.json")
    assert [entry["id"] for entry in found] == ["0", "1", "2"]
    assert [entry["conversations"][0]["value"] for entry in found] == ["<image>0?", "<image>1?", "<image>2?"]
    (path,) = {path for entry in found for path in entry["images"]}
    assert (tmp_path / path).read_bytes() == data


def test_what_was_set_aside_joins_the_output_once_it_is_mended(tmp_path: Path) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO, {**VIDEO, "conversations": []}])
    assert run_convert(source, tmp_path / "out.json", "--to", "videollama2") == 3
    (line,) = set_aside(tmp_path)
    line["entry"]["conversations"] = VIDEO["conversations"]
    line["entry"]["id"] = 8
    (tmp_path / "mended.jsonl").write_text(json.dumps(line) + "\n")
    assert run_convert("--retry", tmp_path / "mended.jsonl", tmp_path / "out.json", "--to", "videollama2") == 0
    assert [entry["id"] for entry in entries_of(tmp_path / "out.json")] == [7, 8]


def test_lists_of_frames_that_others_made_are_taken(tmp_path: Path) -> None:
    video = write_frames(tmp_path, "v", 4)
    source = write_json(tmp_path / "in.json", [{"video": video, "conversations": chat("<video>")}])
    root = ["--dataset-root", tmp_path]
    assert run_convert(source, tmp_path / "out.json", "--to", "minicpm-v", "--frames", 2, *root) == 0
    (entry,) = entries_of(tmp_path / "out.json")
    assert list(entry["image"].values()) == ["v/00001.jpg", "v/00004.jpg"]


def test_images_stay_images(tmp_path: Path) -> None:
    names = write_images(tmp_path, 2)
    entry = {"images": names, "conversations": chat("<image><image>")}
    (found,) = converted(tmp_path, [entry], "--to", "minicpm-v", "--frames", 4)
    assert found["image"] == {"<image_00>": "p0.jpg", "<image_01>": "p1.jpg"}


@pytest.mark.parametrize("target", ["pai-v1", "pai-v2", "bridge", "crude"])
def test_shards_become_annotations_again(tmp_path: Path, target: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    pictures = write_images(first, 3)
    video = write_frames(first, "v", 4)
    entries = [
        {"id": n, "images": [name], "conversations": chat("<image>What?", f"A{n}."), "who": "me"}
        for n, name in enumerate(pictures)
    ]
    entries.append({"id": "v", "videos": [video], "conversations": chat("<video>What happens?")})
    write_json(first / "dataset.json", entries)
    assert run_shard(first, "--target", target) == 0
    assert run_convert(first / "wds", second / "dataset.json", "--to", "sharegpt", "--dataset-root", second) == 0
    back = {entry["id"]: entry for entry in entries_of(second / "dataset.json")}
    assert {n: entry["conversations"] for n, entry in back.items()} == {
        one["id"]: one["conversations"] for one in entries
    }
    assert all(back[n]["who"] == "me" for n in range(3))
    for n, name in enumerate(pictures):
        assert (second / back[n]["images"][0]).read_bytes() == (first / name).read_bytes()
    (frames,) = back["v"]["videos"]
    originals = [path.read_bytes() for path in sorted((first / "v").glob("*.jpg"))]
    assert [(second / path).read_bytes() for path in frames] == originals
    assert json.loads((second / frames[0]).parent.with_suffix(".json").read_text()) == {"fps": "2.0"}
    assert run_shard(second, "--target", target) == 0
    again, before = (
        sorted(stored(one / "wds", target), key=lambda sample: str(sample.text["id"])) for one in (second, first)
    )
    assert [(one.text, one.images, one.videos) for one in again] == [
        (one.text, one.images, one.videos) for one in before
    ]


@pytest.fixture(scope="module")
def media_of_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the examples of all formats name."""
    root = tmp_path_factory.mktemp("examples")
    for folder in ("pictures", "films", "pages/7"):
        (root / folder).mkdir(parents=True)
    for number in (7, 8):
        write_image(root / "pictures" / f"{number}.jpg", number=number)
        write_image(root / "pages" / "7" / f"{number:06d}.jpg", number=number)
    for name in ("7.mp4", "v_7.mkv"):
        write_clip(root / "films" / name, frames=60)
    return root


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_of_a_format_goes_into_shards_and_comes_back(
    tmp_path: Path, media_of_examples: Path, name: str
) -> None:
    root = Path(shutil.copytree(media_of_examples, tmp_path / "root"))
    source = write_json(root / "in.json", [example(name)])
    hub, wds, back = root / "dataset.json", root / "wds", root / "back.json"
    assert run_convert(source, hub, "--from", name, "--to", "sharegpt", "--dataset-root", root) == 0
    options = ("--train-split", 1, "--val-split", 0, "--system-turn", "fold", "--enlarge-small-images")
    assert run_shard(root, *options, "--double-single-frames") == 0
    assert cli.main(["verify", str(wds), "--skip-energon"]) == 0
    assert run_convert(wds, back, "--to", name, "--dataset-root", root) == 0
    (before,), (after,) = entries_of(hub), entries_of(back)
    first, second = (formats.load(entry, origin="o") for entry in (before, after))
    said, said_again = (
        [turn.text.replace("\n", "") for turn in one.turns if turn.role != "system"] for one in (first, second)
    )
    assert said_again == said
    assert len(second.images) == len(first.images) and len(second.videos) == len(first.videos)
    pictures = [*second.images, *(path for video in second.videos if isinstance(video, tuple) for path in video)]
    assert all(read_number(root / path) is not None for path in pictures)


@pytest.mark.parametrize("order", ["IN OUT --to F", "IN --to F OUT", "--to F IN OUT"])
def test_options_may_stand_between_in_and_out(tmp_path: Path, order: str) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO])
    words = {"IN": source, "OUT": tmp_path / "out.json", "F": "sharegpt"}
    assert run_convert(*(words.get(word, word) for word in order.split())) == 0
    assert len(entries_of(tmp_path / "out.json")) == 1


def test_three_files_are_not_written_into_a_folder_that_is_named_as_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_json(tmp_path / "in.json", [VIDEO])
    assert run_convert(source, tmp_path / "out.jsonl", "--to", "all-legacy") == 1
    assert "the name of a folder was expected" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
