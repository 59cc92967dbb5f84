"""Commands on small datasets: what each leaves when nothing disturbs it, and what may never be there."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from media import write_clip
from mm2energon.review.review import open_review
from mm2energon.sample import Turn
from mm2energon.storage import TEMPORARY_SUFFIX
from pipeline.making import image_entry, text_entry, video_entry, write_frames, write_images, write_json
from speech.talks import Told, bursts, write_talk

#: Says which moments and calls are chosen: others each time, but in CI, where a change is judged by what it changed.
SEED = int(os.environ.get("SEED") or ("0" if "CI" in os.environ else random.randrange(1 << 30)))

#: Command lines by name; they run in the folder of the dataset.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "frames": ("frames", "--time-interval", "0.5"),
    "normalize": ("normalize", "--input-file", "train.json", "--output-file", "normal.json"),
    "convert": ("convert", "train.json", "parts.json", "--to", "messages-parts"),
    "text-to-frames": ("text-to-frames", "train.json", "pages", "--size", "90x90"),
    "filter": ("filter", "train.json", "fit.json", "--model", "qwen2-vl", "--max-tokens", "140", "--fit"),
    "report": ("report", "wds", "page.html", "numbers.json"),
    "mix": ("mix", "mix.json", "train.json:9", "more.json:50%", "--shuffle"),
    "blend": ("blend", "blend.yaml", "--recipe", "recipe.yaml"),
    "transcribe": ("transcribe", "talks", "chat.jsonl", "--with-video", "--with-audio", "--srt"),
    "export": ("export", "annotations.csv", "out", "--train-split", "1", "--val-split", "1", "--no-check-videos"),
    "shard": ("shard", "--max-samples-per-tar", "3"),
    "shard --extract": ("shard", "--max-samples-per-tar", "3", "--extract", "--time-interval", "0.5"),
}
#: What is of one run alone: times, and the rows of a CSV that it found to be changed.
_BACKUP = re.compile(r"(_backup_)\d{8}_\d{6}")
_BACKUP_BYTES = re.compile(rb"(_backup_)\d{8}_\d{6}")
_TIMES = re.compile(rb'"at":"[^"]*"|"seconds":[\d.]+|\d+\.\d seconds|"rows_changed":\d+|Rows Changed: \d+')
_CACHE = ".mm2energon/review/"
#: Marks of what a run needs for itself; none of it is there when one has ended well.
LEFTOVERS = (TEMPORARY_SUFFIX, ".partial", "-unfinished", ".writing", ".old", ".jpegs", "plan", "lock")


@dataclass(frozen=True)
class Case:
    """A command on a dataset, and what comes of it."""

    name: str
    #: Where the command runs: messages name the place, so it is always the same.
    root: Path
    #: Path -> content of each file when nothing has disturbed the run.
    after: Mapping[str, bytes]
    status: int

    @property
    def arguments(self) -> list[str]:
        """The command line."""
        return command_line(self.name, self.root)

    def renew(self) -> Path:
        """The dataset as it was before the command."""
        shutil.rmtree(self.root, ignore_errors=True)
        return Path(shutil.copytree(_before(self.root), self.root, symlinks=True))  # with the times of the files


def command_line(name: str, root: Path) -> list[str]:
    """The arguments of a command of `COMMANDS`."""
    command, *options = COMMANDS[name]
    if command in ("normalize", "convert", "filter"):
        return [command, *(str(root / one) if one.endswith(".json") else one for one in options)]
    if command in ("mix", "blend"):
        return [command, *(str(root / one) if "." in one else one for one in options)]
    if command == "text-to-frames":
        source, output, *look = options
        return [command, str(root / source), str(root / output), "--workers", "1", *look]
    if command == "transcribe":
        talks, chat, *media = options
        aside = ["--engine", "transcript", "--workers", "2", *media]
        return [command, str(root / talks), "--output", str(root / chat), *aside]
    if command == "export":
        source, output, *how = options
        named = ["--template", "all-legacy", "--template", "llama-factory"]
        return [command, str(root / source), "--output", str(root / output), *named, *how]
    if command == "report":
        shards, page, numbers = (str(root / one) for one in options)
        return [command, shards, "--output", page, "--json", numbers]
    output = ["--output", str(root / "wds")] if command == "shard" else []
    return [command, "--dataset-root", str(root), "--workers", "2", *output, *options]


def make_case(name: str, root: Path, run: Callable[[list[str]], int]) -> Case:
    """The dataset of a command, and what the command makes of it when nothing disturbs it.

    Args:
        run: runs a command line; its exit status.
    """
    before = _before(root)
    before.mkdir(parents=True)
    makers: dict[str, Callable[[Path], None]]
    makers = {"frames": _frames_dataset, "normalize": _normalize_dataset, "convert": _normalize_dataset}
    makers |= {"mix": _mix_dataset, "blend": partial(_blend_datasets, run=run)}
    makers |= {"transcribe": _recordings, "export": partial(_reviewed_csv, root=root)}
    {**makers, "text-to-frames": _texts_dataset, "filter": _filter_dataset}.get(name, _video_dataset)(before)
    if name == "shard":
        assert run(["frames", "--dataset-root", str(before), "--workers", "1", "--time-interval", "0.5"]) == 3
    if name == "report":
        assert run(command_line("shard --extract", before)) == 3
    shutil.copytree(before, root)
    status = run(command_line(name, root))
    assert not leftovers(root)
    return Case(name, root, contents(root), status)


def contents(root: Path) -> dict[str, bytes]:
    """Path -> content of every file; a folder has no content, and a slash behind its name.

    Of the notes of a folder that part is left out which says what stood there before; of logs, journals and copies the
    times, and how much of a CSV was left to be changed. The index of a review is a cache.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        name = _BACKUP.sub(r"\1TIME", path.relative_to(root).as_posix())
        if f"{name}/".startswith(_CACHE):
            continue
        found[name + "/" * path.is_dir()] = b"" if path.is_dir() else path.read_bytes()
        if path.name == "outputs.json":
            notes = json.loads(found[name])
            found[name] = json.dumps({of: _without_before(note) for of, note in notes.items()}, sort_keys=True).encode()
        elif path.name.startswith("export_log.") or path.name.endswith(".review.jsonl"):
            found[name] = _TIMES.sub(b"", _BACKUP_BYTES.sub(rb"\1TIME", found[name]))
        if path.name.endswith(".review.jsonl"):  # a torn line of a journal is passed over
            lines = found[name].splitlines(keepends=True)
            found[name] = b"".join(line for line in lines if line.endswith(b"}\n"))
    return found


def leftovers(root: Path) -> list[str]:
    """What a run left that it needed for itself alone."""
    return [name for name in contents(root) if any(mark in name for mark in LEFTOVERS)]


def half_written(case: Case) -> list[str]:
    """What stands under a final name and is neither what belongs there nor what stood there before; hidden files are
    nobody's but the run's, and a journal grows by whole lines."""
    before = contents(_before(case.root))
    return [
        name
        for name, content in contents(case.root).items()
        if not any(part.startswith(".") and part != ".nv-meta" for part in name.split("/"))
        and content not in (case.after.get(name), before.get(name))
        and not (name.endswith(".review.jsonl") and content.endswith(b"\n") and case.after[name].startswith(content))
    ]


def difference(case: Case) -> list[str]:
    """Where a dataset is not what the undisturbed run makes of it."""
    now = contents(case.root)
    return sorted(name for name in {*now, *case.after} if now.get(name) != case.after.get(name))


def _before(root: Path) -> Path:
    return root.with_name(f"{root.name} before")


def _without_before(note: Any) -> Any:
    if not isinstance(note, dict):
        return note
    left_out = ("before", "sha256") if note.get("by") == "export" and "template" not in note else ("before",)
    return {name: value for name, value in note.items() if name not in left_out}


def _frames_dataset(root: Path) -> None:
    """Videos in a folder, beside one another and in an archive; a damaged one; an entry that is none."""
    for number, name in enumerate(["a.mp4", "a.mkv", "b.mp4"]):
        write_clip(root / name, frames=20, rate=10, size=(64, 48), first=20 * number)
    (root / "c.mp4").write_bytes((root / "b.mp4").read_bytes()[:900])
    (root / "sub").mkdir()
    with tarfile.open(root / "sub" / "more.tar", "w") as tar:
        tar.add(root / "b.mp4", "d.mp4")
    videos = ["a.mp4", "a.mkv", "b.mp4", "c.mp4", "sub/d.mp4"]
    entries = [video_entry(video, id=video) for video in videos]
    write_json(root / "train.json", [*entries, text_entry(1), {"id": "bad"}])


def _normalize_dataset(root: Path) -> None:
    entries = [text_entry(number, id=number) for number in range(20)]
    write_json(root / "train.json", [*entries, {"id": "bad"}, {"id": 7, "image": "a.jpg", **text_entry(1)}])


def _texts_dataset(root: Path) -> None:
    """Texts of two pictures or three, two of them the same, and an entry that is set aside."""
    texts = [f"a{number} " * 9 for number in (1, 2, 1, 10)]
    entries = [{"id": number, "context": text, "question": "q", "answer": "a"} for number, text in enumerate(texts)]
    write_json(root / "train.json", [*entries, {"id": "bad"}])


def _filter_dataset(root: Path) -> None:
    """Pictures and a video of which less is taken, others of which all is, and an entry that is set aside."""
    entries = [image_entry(name, id=name) for name in write_images(root, 3, size=(600, 400))]
    entries += [video_entry(write_frames(root, "long", 4)), text_entry(1)]
    write_json(root / "train.json", [*entries, {"id": "bad"}])


def _recordings(root: Path) -> None:
    """Two recordings with their transcripts, and a file that is none."""
    for number in range(2):
        tracks = [Told(bursts([1.0], 4, seed=number)), Told(bursts([2.0], 4, seed=9))]
        talk = write_talk(root / "talks" / f"t{number}.mkv", *tracks)
        for name, start, text in (("user", 1, f"What is {number}?"), ("assistant", 2, "A number.")):
            cue = f"1\n00:00:0{start},000 --> 00:00:0{start},500\n{text}\n"
            talk.with_name(f"{talk.stem}.{name}.srt").write_text(cue)
    (root / "talks" / "none.mkv").write_text("no recording")


def _reviewed_csv(before: Path, *, root: Path) -> None:
    """A CSV of which one row was edited, one rejected, and one lacks its question, with the index of its review."""
    rows = [
        "0,a.mp4,Q0?,c,A0,accepted",
        "1,b.mp4,Q1?,c,A1,",
        "2,b.mp4,Q2?,c,A2,",
        "3,a.mp4,,c,A3,accepted",
        "4,a.mp4,Q4?,c,A4,",
    ]
    path = before / "annotations.csv"
    path.write_text("\n".join(["index,video_file_path,question,category,answer,status", *rows, ""]))
    past = 1_700_000_000
    os.utime(path, (past, past))
    root.mkdir()  # the index knows what media are relative to
    with open_review(path, root=root) as review:
        review.wait()
        sample = replace(review.item(1).sample, turns=(Turn("user", "<video>\nWhat?"), Turn("assistant", "A1")))
        review.decide([1], "edit", sample=sample)
        review.decide([2], "reject", reason="wrong")
    root.rmdir()


def _mix_dataset(root: Path) -> None:
    _normalize_dataset(root)
    write_json(root / "more.json", [text_entry(number, id=number) for number in range(30, 40)])


def _blend_datasets(root: Path, run: Callable[[list[str]], int]) -> None:
    """Two finished datasets, and a recipe that takes a part of one."""
    for name in ("one", "other"):
        write_json(root / name / "dataset.json", [text_entry(number, id=number) for number in range(12)])
        assert run(["shard", "--dataset-root", str(root / name), "--max-samples-per-tar", "4", "--workers", "1"]) == 0
    write_json(root / "recipe.yaml", [{"path": "one/wds", "samples": 5}, {"path": "other/wds"}])


def _video_dataset(root: Path) -> None:
    """Videos without frames, pictures, text, and an entry that is set aside."""
    entries = [image_entry(name, id=name) for name in write_images(root, 5)]
    for number in range(2):
        name = write_clip(root / f"v{number}.mp4", frames=20, rate=10, size=(64, 48), first=20 * number).name
        entries += [video_entry(name, id=f"{name}-{turn}") for turn in range(2)]
    write_json(root / "dataset.json", [*entries, *(text_entry(number) for number in range(4)), {"id": "bad"}])
    past = 1_700_000_000
    for path in root.iterdir():
        os.utime(path, (past, past))
