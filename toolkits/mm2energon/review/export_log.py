"""The log of an export: the text that the first annotation tool wrote, and the same facts as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import mm2energon
from mm2energon.review.export_files import MOST_SKIPPED
from mm2energon.review.export_job import ANY, CsvUpdate, Exported, ExportFile, ExportJob, OfVideo
from mm2energon.review.templates import Chosen

TEXT_NAME, JSON_NAME = "export_log.txt", "export_log.json"

#: Skipped samples, and rows, that the text names; the JSON has more of them.
_SHOWN = 50
_KILO = 1024


def log_lines(job: ExportJob, chosen: Chosen, exported: Exported) -> Iterator[str]:
    """The text, line by line."""
    yield from ("EXPORT PROCESS LOG", "==================", "")
    yield from _videos(job, chosen, exported)
    yield from ("", "Step 3: Final Export Process", f"- Export Directory: {job.output}/")
    yield from _csv(exported)
    yield from (f"- {note}" for note in exported.notes)
    yield from ("", "File Generation:")
    for file in exported.files:
        yield f"✓ {file.path.name}"
        yield f"  - Records: {file.records}"
        yield f"  - Size: {size(file.size_bytes)}"
        yield ""
    for path in exported.companions:
        yield from (f"✓ {path.name}", "")
    yield from _skipped(exported)
    yield from _shards(job, exported)
    yield from ("EXPORT SUMMARY:", "==============")
    yield f"Total Processed Q&As: {exported.samples}"
    yield f"Total Template Records: {exported.records}"
    yield f"Output Files Created: {len(exported.files)}"
    yield f"Processing Time: {exported.seconds:.1f} seconds"
    yield "Status: Files Complete ✓, Shards Failed ✗" if exported.shards_status == 1 else "Status: Export Complete ✓"


def _videos(job: ExportJob, chosen: Chosen, exported: Exported) -> Iterator[str]:
    total, often = 0, Counter(map(_file_of, exported.videos))
    for number, (path, of) in enumerate(exported.videos.items()):
        name = path if often[_file_of(path)] > 1 else _file_of(path)
        total += of.records
        if number == 0:
            yield from ("Step 1: Template Selection", f"- Selected Format: {chosen.title}", f"- Current Video: {name}")
        else:
            yield from ("", *(["Step 2: Processing Additional Videos"] if number == 1 else []), f"- Video: {name}")
        yield f"- {_pairs(job)}: {of.samples}"
        yield f"- Templates Generated: {of.records}{_product(of, chosen)}"
        if number:
            yield f"- Total in Memory: {total} templates"
        yield f"- Status: {'Ready for export' if number else 'Stored in memory'} ✓"


def _file_of(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _pairs(job: ExportJob) -> str:
    return "Q&A Pairs" if job.status == ANY else f"{job.status.capitalize()} Q&A Pairs"


def _product(of: OfVideo, chosen: Chosen) -> str:
    formats = len(chosen.rows)
    if not formats:
        return ""
    less = of.samples * formats - of.records
    by = f"{of.samples} × {formats} formats" if formats > 1 else f"{of.samples} × 1 format"
    return f" ({by}, {less} not held)" if less else f" ({by})"


def _csv(exported: Exported) -> Iterator[str]:
    if (update := exported.csv) is None:
        return
    yield f"- CSV Backup: {update.backup.name}"
    yield f"- CSV Updated: {update.path.name} (with status columns)"
    yield f"  - Rows Changed: {update.rows}"
    for origin in update.not_held[:_SHOWN]:
        yield f"  - {origin}: only its status; the edited turns are more than a question and an answer"


def _skipped(exported: Exported) -> Iterator[str]:
    reasons = exported.account.get("set_aside", {})
    if not reasons and not exported.not_held:
        return
    yield "Skipped:"
    for code, count in reasons.items():
        yield f"- {code}: {count}"
    for template, codes in exported.not_held.items():
        yield f"- not in {template}: {', '.join(f'{code} {count}' for code, count in codes.items())}"
    for one in exported.skipped[:_SHOWN]:
        yield f"  - {one.message}"
    if len(exported.skipped) > _SHOWN:
        yield f"  - ... see {JSON_NAME}"
    yield ""


def _shards(job: ExportJob, exported: Exported) -> Iterator[str]:
    if job.shards is None:
        return
    yield f"Shards: {job.shards.output}"
    yield from (f"  {line}" if line else "" for line in exported.shards)
    yield ""


def size(count: int) -> str:
    """Bytes as the log has them: `45.2 KB`."""
    if count < _KILO:
        return f"{count} bytes"
    for unit in ("KB", "MB", "GB"):
        value = count / _KILO ** (1 + ("KB", "MB", "GB").index(unit))
        if value < _KILO or unit == "GB":
            break
    return f"{value:.1f} {unit}"


def log_facts(job: ExportJob, chosen: Chosen, exported: Exported, *, source: str, at: datetime) -> dict[str, Any]:
    """The JSON."""
    return {
        "by": "mm2energon",
        "version": mm2energon.__version__,
        "command": "export",
        "at": at.isoformat(timespec="seconds"),
        "seconds": round(exported.seconds, 3),
        "source": source,
        "options": job.options(),
        "selected_format": chosen.title,
        "templates": [row.name for row in chosen.rows],
        "videos": [
            {"video": name, "samples": of.samples, "records": of.records} for name, of in exported.videos.items()
        ],
        "export_directory": str(job.output),
        "csv": None if exported.csv is None else _csv_facts(exported.csv),
        "files": [_file_facts(file) for file in exported.files],
        "companions": [path.name for path in exported.companions],
        "account": exported.account,
        "left_out": exported.left_out,
        "unknown_status": exported.unknown_words,
        "notes": exported.notes,
        "not_held": exported.not_held,
        "skipped": [one.as_json() for one in exported.skipped],
        "skipped_is_all": len(exported.skipped) < MOST_SKIPPED,
        "shards": None if job.shards is None else {"output": str(job.shards.output), "lines": exported.shards},
        "totals": {"samples": exported.samples, "records": exported.records, "files": len(exported.files)},
    }


def _csv_facts(update: CsvUpdate) -> dict[str, Any]:
    return {
        "file": update.path.name,
        "backup": update.backup.name,
        "rows_changed": update.rows,
        "only_status": list(update.not_held),
    }


def _file_facts(file: ExportFile) -> dict[str, Any]:
    return {
        "file": file.path.name,
        "template": file.template,
        "split": file.split,
        "records": file.records,
        "bytes": file.size_bytes,
    }
