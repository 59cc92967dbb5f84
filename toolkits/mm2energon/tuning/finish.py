"""The finished adapter: PEFT's files, what a loader needs beside them, and what it was made from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.jsonio import dumps
from mm2energon.tuning.encoding import load_tokenizer
from mm2energon.tuning.folders import whole_folder
from mm2energon.tuning.job import TuneJob
from mm2energon.tuning.status import now

#: Files of the base by which a processor is made; the tokenizer writes its own.
_PROCESSOR = (
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
#: What the adapter was made from, as plain values.
FACTS = "training.json"


def write_adapter(folder: Path, model: Any, job: TuneJob, *, base: Path, facts: Mapping[str, Any]) -> None:
    """Write the adapter of a trained model into a folder, which appears when it is whole."""
    about = {
        "made_by": f"mm2energon {mm2energon.__version__} finetune",
        "base": job.base,
        "data": [str(path) for path in job.data],
        "finished": now(),
        **facts,
        "settings": {name: value for name, value in job.asked().items() if name not in ("data", "model")},
    }
    with whole_folder(folder) as place:
        model.save_pretrained(place)
        load_tokenizer(base).save_pretrained(place)
        for name in _PROCESSOR:
            if (base / name).is_file() and not (place / name).exists():
                shutil.copyfile(base / name, place / name)
        (place / FACTS).write_bytes(dumps(about))
        (place / "README.md").write_text(_readme(about), encoding="utf-8")


def _readme(about: Mapping[str, Any]) -> str:
    """A page for whoever finds the folder; its head is what the hub reads."""
    samples, settings = about["samples"], about["settings"]
    lines = [
        "---",
        f"base_model: {about['base']}",
        "library_name: peft",
        "---",
        "",
        "# A LoRA adapter",
        "",
        f"For `{about['base']}`, made by {about['made_by']} at {about['finished']}.",
        "",
        f"- {samples['train']} training samples, {samples['val']} for validation, {about['steps']} steps of "
        f"{settings['effective_batch']} samples",
        f"- r {settings['rank']}, alpha {settings['alpha']}, dropout {settings['dropout']:g}, learning rate "
        f"{settings['learning_rate']:g}",
        f"- last loss {about['last_loss']}, validation loss {about['eval_loss']}",
        "",
        f'All settings are in `{FACTS}`. In Python: `PeftModel.from_pretrained(base, "this folder")`.',
        "",
    ]
    return "\n".join(lines)
