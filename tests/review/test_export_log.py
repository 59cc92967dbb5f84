"""The log of an export, as the first annotation tool wrote it, and the same as JSON."""

from __future__ import annotations

import json
import re

import pytest
from media import write_clip
from mm2energon.review.export import export
from mm2energon.review.export_job import ExportJob, ShardsWanted
from mm2energon.review.export_log import size

from review.reviewing import StandIn, row, write_csv

#: Reference 004, of an export of twelve and eight questions, but for names, sizes, the time, and one line more.
EXPECTED = """EXPORT PROCESS LOG
==================

Step 1: Template Selection
- Selected Format: All Templates
- Current Video: traffic_scene_001.mp4
- Accepted Q&A Pairs: 12
- Templates Generated: 36 (12 × 3 formats)
- Status: Stored in memory ✓

Step 2: Processing Additional Videos
- Video: intersection_view.mp4
- Accepted Q&A Pairs: 8
- Templates Generated: 24 (8 × 3 formats)
- Total in Memory: 60 templates
- Status: Ready for export ✓

Step 3: Final Export Process
- Export Directory: OUT/
- CSV Backup: annotations_backup_TIME.csv
- CSV Updated: annotations.csv (with status columns)
  - Rows Changed: 20

File Generation:
✓ model_train_videollama2.jsonl
  - Records: 20
  - Size: N KB

✓ model_train_llava_next.jsonl
  - Records: 20
  - Size: N KB

✓ model_train_qwen.jsonl
  - Records: 20
  - Size: N KB

EXPORT SUMMARY:
==============
Total Processed Q&As: 20
Total Template Records: 60
Output Files Created: 3
Processing Time: N seconds
Status: Export Complete ✓
"""


@pytest.fixture
def exported(tmp_path):
    rows = [row(number, video="clips/traffic_scene_001.mp4") for number in range(12)]
    rows += [row(number, video="clips/intersection_view.mp4") for number in range(12, 20)]
    path = write_csv(tmp_path / "annotations.csv", *rows)
    lines: list[str] = []
    job = ExportJob(tmp_path / "out", ("all-legacy",), checks_videos=False)
    export(StandIn(path, dict.fromkeys(range(20), "accepted")), job, told=lines.append)
    return tmp_path / "out", lines


def test_the_text_is_that_of_the_first_tool(exported):
    out, lines = exported
    text = (out / "export_log.txt").read_text()
    assert text == "".join(f"{line}\n" for line in lines)
    text = text.replace(str(out), "OUT")
    text = re.sub(r"backup_\d{8}_\d{6}", "backup_TIME", re.sub(r"\d+\.\d(?= KB| seconds)", "N", text))
    assert text == EXPECTED


def test_videos_whose_files_are_called_alike_are_named_by_their_paths(tmp_path):
    rows = [row(number, video=name) for number, name in enumerate(["a/1.mp4", "b/1.mp4", "b/2.mp4"])]
    lines: list[str] = []
    review = StandIn(write_csv(tmp_path / "a.csv", *rows), dict.fromkeys(range(3), "accepted"))
    export(review, ExportJob(tmp_path / "out", ("llava",), checks_videos=False), told=lines.append)
    assert [line.rpartition(": ")[2] for line in lines if "Video: " in line] == ["a/1.mp4", "b/1.mp4", "2.mp4"]


def test_shards_alone_are_no_format(tmp_path):
    lines: list[str] = []
    wanted = ShardsWanted(tmp_path / "wds", "pai-v1")
    job = ExportJob(tmp_path / "out", (), checks_videos=False, updates_csv=False, shards=wanted)
    write_clip(tmp_path / "v.mp4")
    export(StandIn(write_csv(tmp_path / "a.csv", row(0, video="v.mp4")), {0: "accepted"}), job, told=lines.append)
    assert "- Templates Generated: 0" in lines


def test_the_json_says_the_same(exported):
    out, _ = exported
    log = json.loads((out / "export_log.json").read_text())
    assert log["videos"] == [
        {"video": "clips/traffic_scene_001.mp4", "samples": 12, "records": 36},
        {"video": "clips/intersection_view.mp4", "samples": 8, "records": 24},
    ]
    assert [(file["file"], file["records"]) for file in log["files"]] == [
        ("model_train_videollama2.jsonl", 20),
        ("model_train_llava_next.jsonl", 20),
        ("model_train_qwen.jsonl", 20),
    ]
    assert all((out / file["file"]).stat().st_size == file["bytes"] for file in log["files"])
    assert log["totals"] == {"samples": 20, "records": 60, "files": 3}
    assert log["csv"]["rows_changed"] == 20 and (out.parent / log["csv"]["backup"]).is_file()
    assert log["skipped"] == [] and log["left_out"] == {}


def test_sizes_are_shown_as_people_read_them():
    assert [size(count) for count in (0, 1023, 1024, 46285, 5 << 20, 3 << 30, 1 << 42)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KB",
        "45.2 KB",
        "5.0 MB",
        "3.0 GB",
        "4096.0 GB",
    ]
