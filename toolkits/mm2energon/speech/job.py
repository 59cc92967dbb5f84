"""What `mm2energon transcribe` is asked to do, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.speech.clips import Wanted
from mm2energon.speech.hygiene import Hygiene
from mm2energon.speech.recording import Hearing
from mm2energon.speech.recordings import Recording
from mm2energon.speech.turns import TurnRules
from mm2energon.speech.utterances import Side


@dataclass(frozen=True)
class TranscribeJob:
    """What `mm2energon transcribe` is asked to do."""

    recordings: Sequence[Recording]
    output: Path
    hearing: Hearing
    rules: TurnRules = field(default_factory=TurnRules)
    hygiene: Hygiene = field(default_factory=Hygiene)
    min_confidence: float = 0.0
    system: str | None = None
    #: Folder of the tokenizer that `max_tokens` is counted by.
    tokenizer: Path | None = None
    #: What is cut out of the recordings, for samples with media.
    wanted: Wanted | None = None
    #: Endings of transcripts that are written: `srt`, `vtt`, `json`.
    transcripts: Sequence[str] = ()
    workers: int = 1
    overwrite: bool = False
    #: Recognise again what has been recognised.
    restart: bool = False
    #: Recordings of which the report tells all, turn by turn.
    told_in_full: int = 0

    @property
    def transcripts_folder(self) -> str:
        """Where transcripts go that are asked for, beside the output."""
        return f"{self.output.stem}.transcripts"

    @property
    def sides(self) -> dict[str, Side]:
        """Speaker -> side."""
        return {voice.name: voice.side for voice in self.hearing.voices}


@dataclass
class TranscribeReport:
    """What `mm2energon transcribe` did."""

    account: dict[str, Any] = field(default_factory=dict)
    conversations: int = 0
    turns: int = 0
    recordings: int = 0
    failed: int = 0
    #: Recordings whose transcript was there already.
    known: int = 0
    #: Seconds of all recordings, and of the speech in them, all voices together.
    seconds: float = 0.0
    speech_seconds: float = 0.0
    #: Recording -> what somebody should know of it.
    warnings: dict[str, list[str]] = field(default_factory=dict)
    #: Lines about the first recordings, as many as the job asks for.
    told: list[str] = field(default_factory=list)
    #: Kind -> how often it was masked.
    masked: Counter[str] = field(default_factory=Counter)
    #: Step -> seconds it took, over all recordings and workers.
    spent: Counter[str] = field(default_factory=Counter)
    written: list[Path] = field(default_factory=list)
    already_done: bool = False
    first_error: SampleError | None = None

    def facts(self) -> dict[str, Any]:
        """What the account says besides the utterances."""
        return {
            "recordings": self.recordings,
            "recordings_failed": self.failed,
            "conversations": self.conversations,
            "turns": self.turns,
            "recorded_seconds": round(self.seconds, 3),
            "speech_seconds": round(self.speech_seconds, 3),
            "masked": dict(sorted(self.masked.items())),
            "warnings": self.warnings,
        }
