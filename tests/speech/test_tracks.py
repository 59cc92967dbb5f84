"""Tracks: what a recording has, and what a person means by a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from mm2energon.errors import MediaError
from mm2energon.speech.tracks import Track, choose, open_recording, tracks_of

from speech.talks import Told, bursts, write_talk

TRACKS = [
    Track(0, 1, "aac", 1, 48_000, "eng", "User", 0.0, 6.0),
    Track(1, 2, "aac", 2, 48_000, "eng", "Assistant", 2.5, 6.0),
    Track(2, 4, "opus", 1, 48_000, "deu", "1", None, None),
]
HERE = Path("talk.mkv")


@pytest.mark.parametrize(
    ("which", "index"),
    [
        ("0", 0),
        ("1", 1),
        ("2", 2),
        ("stream:4", 2),
        ("stream:1", 0),
        ("deu", 2),
        ("de", 2),
        ("assistant", 1),
        (" user ", 0),
    ],
)
def test_a_track_is_told_by_number_stream_language_or_title(which: str, index: int) -> None:
    assert choose(TRACKS, which, path=HERE).index == index


@pytest.mark.parametrize(
    ("which", "found"), [("3", "no track is"), ("eng", "2 tracks are"), ("stream:0", "no track is"), ("", "no")]
)
def test_a_wrong_choice_names_what_is_there(which: str, found: str) -> None:
    with pytest.raises(MediaError) as failure:
        choose(TRACKS, which, path=HERE)
    message = str(failure.value)
    assert found in message
    assert all(f"{index} (" in message for index in range(3))
    assert "'Assistant'" in message
    assert failure.value.code == "no-track"


def test_one_track_with_two_channels_is_told_how_to_be_taken_apart() -> None:
    with pytest.raises(MediaError, match="--user-channel left"):
        choose([Track(0, 0, "aac", 2, 48_000, "", "", 0.0, 6.0)], "1", path=HERE)


def test_a_file_without_sound_has_no_track() -> None:
    with pytest.raises(MediaError, match="has no audio track"):
        choose([], "0", path=HERE)


def test_tracks_are_those_that_a_muxer_wrote(tmp_path: Path) -> None:
    first = Told(bursts([1], 3), language="eng", title="The user")
    path = write_talk(tmp_path / "talk.mkv", first, Told(bursts([1], 3), offset=1.5, language="fra"), codec="flac")
    with open_recording(path) as container:
        tracks = tracks_of(container)
    assert [(track.index, track.stream, track.codec, track.channels, track.rate) for track in tracks] == [
        (0, 1, "flac", 1, 16_000),
        (1, 2, "flac", 1, 16_000),
    ]
    assert [(track.language, track.title) for track in tracks] == [("eng", "The user"), ("fra", "")]
    assert tracks[0].start == pytest.approx(0, abs=0.01)
    assert tracks[1].start == pytest.approx(1.5, abs=0.01)


def test_the_title_of_an_mp4_track_is_its_handler(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mp4", Told(bursts([1], 2), title="Anna"), Told(bursts([1], 2)))
    with open_recording(path) as container:
        assert [track.title for track in tracks_of(container)] == ["Anna", ""]


@pytest.mark.parametrize("handler", ["#Mainconcept MP4 Sound Media Handler", "GPAC ISO Audio Handler", "SoundHandler"])
def test_what_a_muxer_calls_every_track_is_no_title(handler: str, tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mp4", Told(bursts([1], 2), title=handler), video=False)
    with open_recording(path) as container:
        assert [track.title for track in tracks_of(container)] == [""]


@pytest.mark.parametrize("name", ["gone.mp4", "a:b.mp4"])
def test_a_file_that_is_not_there_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError) as failure, open_recording(tmp_path / name):
        pass
    assert failure.value.code == "missing-media"


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "talk.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError) as failure, open_recording(path):
        pass
    assert failure.value.code == "unreadable-audio"


def test_a_recording_whose_recorder_was_stopped_is_said_to_be_cut_off(tmp_path: Path) -> None:
    whole = write_talk(tmp_path / "whole.mp4", Told(bursts([1], 3))).read_bytes()
    path = tmp_path / "talk.mp4"
    path.write_bytes(whole[: whole.index(b"moov") - 8])
    with pytest.raises(MediaError, match=r"cut off: the index \(moov\)"), open_recording(path):
        pass
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="cut off"), open_recording(path):
        pass


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").touch()
    with (
        pytest.raises(MediaError, match="it is empty; expected a file with sound"),
        open_recording(tmp_path / "talk.mp4"),
    ):
        pass
