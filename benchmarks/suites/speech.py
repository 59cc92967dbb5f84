"""Speech: what a recording of two tracks costs by stages, beside the straightforward way."""

from __future__ import annotations

from math import ceil
from statistics import median

from benchmarks.measure import Contender, Sample, race, run_child
from benchmarks.results import Figure, Results
from benchmarks.scale import Setting

CONTENDERS = {"mm2energon": "ours", "all of both tracks": "whole"}
STEPS = {"decode": "decode", "bleed": "put out bleed", "activity": "find speech", "recognize": "recognise"}


def run(setting: Setting, results: Results) -> None:
    """Measure the talk of the scale."""
    talk = setting.data / "talks" / "talk.mka"
    work = f"{setting.scale.talk_minutes:g} minutes of two-track speech to words, pocketsphinx"
    setting.say(f"speech: {work}")
    found = race({name: _contender(task, str(talk)) for name, task in CONTENDERS.items()}, setting.repeats)
    rows = results.add_race("speech", work, found)
    for row in rows:
        facts = row.ours_facts
        # Two tracks of so many seconds each: what is silence in them need not be recognised.
        target = round(2 * facts["seconds"] / facts["speech_seconds"], 2)
        share = f"{facts['speech_seconds'] / facts['seconds'] / 2:.0%} of the tracks are speech"
        results.figures.append(
            Figure("speech", work, row.baseline, "faster", row.cpu_ratio, row.wall_ratio, target=target, note=share)
        )
        results.figures.append(_windows(facts))
    if rows:
        results.figures += [_stage(step, name, found.samples["mm2energon"]) for step, name in STEPS.items()]


def _contender(task: str, talk: str) -> Contender:
    def run_once() -> Sample:
        return run_child(f"baselines.speech:{task}", talk=talk)

    return run_once


def _windows(facts: dict[str, float]) -> Figure:
    """What Whisper hears: a window of 30 seconds costs the same, whatever is in it."""
    whole = 2 * ceil(facts["seconds"] / 30)
    work = f"windows of 30 s that Whisper hears, of {whole} of both tracks"
    return Figure("speech", work, "all of both tracks", "value", value=facts["windows"], unit="windows")


def _stage(step: str, name: str, samples: list[Sample]) -> Figure:
    factor = median(sample.facts[f"{step}_seconds"] / sample.facts["seconds"] for sample in samples)
    return Figure(
        "speech", f"real-time factor: {name}", "seconds a second of the recording", "value", value=round(factor, 4)
    )
