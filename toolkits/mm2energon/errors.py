"""The tree of errors.

    ToolkitError
      InputError        the run cannot start: nothing has been written
      SampleError       this sample is set aside, the others go on
        MediaError      ... because of one of its media
      DependencyError   an optional package or a system tool is missing

A message reads `where: what was found; what was expected; what to do`.
"""

from __future__ import annotations


class ToolkitError(Exception):
    """Base of every error that mm2energon raises on purpose."""


class InputError(ToolkitError):
    """The input or the options make the run impossible; nothing has been written."""


class SampleError(ToolkitError):
    """One sample cannot be used; it is set aside under a reason code of `REASONS`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, code)  # both in args, so that the error survives pickling between processes
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class MediaError(SampleError):
    """One medium of a sample cannot be used."""


class DependencyError(ToolkitError):
    """A package of an extra, or a system tool, is missing; the message gives the line that installs it."""


def missing_extra(package: str, extra: str) -> DependencyError:
    """The error for a package of an extra that is not installed."""
    return DependencyError(
        f"{package}: is not installed; it comes with the extra {extra!r}; run: pip install 'mm2energon[{extra}]'"
    )


#: Reason code in set_aside.jsonl -> what it means. Every SampleError carries one of these.
REASONS: dict[str, str] = {
    "broken-json": "the text is not valid JSON",
    "not-an-object": "the entry is not a JSON object (or a list of objects)",
    "empty-entry": "the entry is an empty list",
    "unknown-format": "no annotation format matches the entry",
    "bad-row": "a line of a CSV file is no row of it: a quote that is not closed, or more fields than columns",
    "missing-field": "a row of a CSV file lacks its video, its question or its answer",
    "bad-turn": "a turn lacks its role or its text, or they are not strings",
    "unknown-role": "a turn's role is none of the known names",
    "no-turns": "the conversation has no turns",
    "cannot-hold": "the format that entries are converted to cannot say all of it",
    "bad-media-list": "a media field is not a path or a list of paths",
    "missing-media": "a media file does not exist",
    "outside-root": "a media path leaves the dataset root",
    "media-url": "a media path is a URL (http://, s3://, data:); only files are read",
    "unreadable-image": "an image cannot be decoded",
    "unreadable-video": "a video cannot be decoded",
    "no-frames": "a video yields no frame",
    "video-timeout": "decoding a video took longer than --video-timeout",
    "no-permission": "the frames cannot be written or the file cannot be read: permission",
    "worker-died": "the process that worked on it died (crash, or out of memory)",
    "unfinished-frames": "a frame folder has no sidecar and the video is not there",
    "bad-sidecar": "the fps json beside a frame folder cannot be used",
    "tag-count": "the number of tags in the text is not the number of media",
    "tag-place": "a tag stands in a turn where the reader does not expand it",
    "turn-order": "the reader wants user and assistant turns in alternation, ending with the assistant",
    "system-turn": "the reader cannot train on a system turn of one's own, or on one that is not the first",
    "no-answer": "no assistant turn says anything, so there is nothing to learn",
    "no-context": "there is no long text apart from the question, so there is nothing to draw",
    "undrawable-text": "the font lacks a character of the text, or it is not drawn letter by letter from left to right",
    "reserved-text": "the text holds a control token of the chat template",
    "not-unicode": "the text holds half of a surrogate pair, which UTF-8 and tokenizers cannot take",
    "image-too-small": "a picture is below the reader's minimum size",
    "image-aspect": "a picture's aspect ratio is above 200",
    "too-many-images": "the sample has more images than allowed",
    "too-many-frames": "a video has more frames than the reader takes, or than --max-frames or --video-frame-limit",
    "too-few-frames": "a video has fewer than two frames",
    "frame-sizes": "the frames of a video differ in size",
    "too-many-tokens": "the tokens exceed what the reader takes, or --max-tokens",
    "long-question": "the first question has more words than --max-question-words",
    "bad-part": "a part of a record is not what its target says",
    "audio-unsupported": "the target has no place for (this many) audio files",
    "unreadable-audio": "the sound of a recording cannot be decoded",
    "no-track": "a recording lacks an audio track, or several are meant by one name",
    "same-sound": "two speakers' tracks hold the same sound, so that nobody can tell who speaks",
    "bad-transcript": "a transcript that is read instead of recognising is none",
    "no-speech": "the speech engine's own scores say that nobody speaks there",
    "repetition": "the speech engine repeats itself, as it does where nothing can be understood",
    "low-confidence": "the speech engine is less sure than --min-confidence",
    "backchannel": "a sign of listening (mhm) while the other side has the floor",
    "overlap": "it begins while the other side speaks, and --overlap drop leaves that out",
    "unanswered": "a turn of the user that no turn of the assistant follows",
    "unprompted": "a turn of the assistant that no turn of the user comes before",
    "too-long": "a question and its answer take longer than --max-seconds",
    "too-short": "a turn has fewer words than --min-words",
    "blocked-words": "it says one of the --blocked-words",
}
