"""Sound: each sample is where the recording's clock has it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from mm2energon.errors import MediaError
from mm2energon.speech.sound import RATE, Sound, decoded
from mm2energon.speech.utterances import Span, Voice

from speech.talks import Told, bursts, starts, write_talk, write_wav

TIMES = [0.5, 2.0, 5.25]
TWO = (Voice("user", "user", "0"), Voice("assistant", "assistant", "1"))


def voices_of(path: Path, *voices: Voice) -> dict[str, list[float]]:
    """When each burst of a voice begins."""
    with decoded(path, voices or TWO) as recorded:
        return {name: starts(sound.samples) for name, sound in recorded.sounds.items()}


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov", ".ts", ".mka"])
def test_a_track_that_begins_late_keeps_its_offset(ending: str, tmp_path: Path) -> None:
    late = Told(bursts(TIMES, 6), offset=2.5)
    path = write_talk(tmp_path / f"talk{ending}", Told(bursts(TIMES, 6, seed=1)), late, video=ending != ".mka")
    found = voices_of(path)
    assert found["user"] == pytest.approx(TIMES, abs=0.05)
    assert found["assistant"] == pytest.approx([time + 2.5 for time in TIMES], abs=0.05)


def test_time_0_is_where_the_earliest_stream_begins_as_players_have_it(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.ts", Told(bursts(TIMES, 6)), options=["-muxdelay", "3"])
    with av.open(str(path)) as container:
        assert container.start_time > 1e6
    assert voices_of(path, TWO[0])["user"] == pytest.approx(TIMES, abs=0.05)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [(".wav", ""), (".m4a", ""), (".avi", ""), (".mkv", "flac"), (".mp4", "libmp3lame"), (".asf", "wmav2")],
)
def test_files_of_all_kinds_give_the_same_times(ending: str, codec: str, tmp_path: Path) -> None:
    sounds_alone = ending in (".wav", ".m4a")
    path = write_talk(tmp_path / f"talk{ending}", Told(bursts(TIMES, 6)), codec=codec, video=not sounds_alone)
    assert voices_of(path, TWO[0])["user"] == pytest.approx(TIMES, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz_at_the_same_times(rate: int, tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mkv", Told(bursts(TIMES, 6)), codec="pcm_s16le", options=["-ar", str(rate)])
    with decoded(path, TWO[:1]) as recorded:
        assert starts(recorded.sounds["user"].samples) == pytest.approx(TIMES, abs=0.01)
        assert recorded.sounds["user"].seconds == pytest.approx(6, abs=0.05)


def test_what_a_decoder_holds_back_to_the_end_is_its_own_track_s(tmp_path: Path) -> None:
    tracks = (Told(bursts([], 3)), Told(bursts([0.5, 2.9], 3, length=0.1)))
    found = voices_of(write_talk(tmp_path / "talk.wma", *tracks, codec="wmav2", video=False))
    assert found["user"] == []
    assert found["assistant"] == pytest.approx([0.5, 2.9], abs=0.05)


def test_each_channel_of_a_stereo_track_is_a_voice(tmp_path: Path) -> None:
    both = np.stack([bursts([0.5], 3), bursts([1.5], 3, seed=1)], axis=1)
    path = write_wav(tmp_path / "talk.wav", both)
    found = voices_of(path, Voice("user", "user", "0", 1), Voice("assistant", "assistant", "0", 0))
    assert found["user"] == pytest.approx([1.5], abs=0.01)
    assert found["assistant"] == pytest.approx([0.5], abs=0.01)


def test_a_track_without_a_channel_is_all_of_them_mixed(tmp_path: Path) -> None:
    both = np.stack([bursts([0.5], 3), bursts([1.5], 3, seed=1)], axis=1)
    path = write_wav(tmp_path / "talk.wav", both)
    assert voices_of(path, TWO[0])["user"] == pytest.approx([0.5, 1.5], abs=0.01)


def test_a_channel_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "talk.wav", bursts([0.5], 1))
    with (
        pytest.raises(MediaError, match=r"no channel 1 .* its 1, counted from 0") as failure,
        decoded(path, [Voice("u", "user", "0", 1)]),
    ):
        pass
    assert failure.value.code == "no-track"


def test_packets_that_are_missing_leave_silence_and_the_rest_where_it_was(tmp_path: Path) -> None:
    whole = write_talk(tmp_path / "whole.mka", Told(bursts(TIMES, 6)), codec="flac", video=False)
    path = tmp_path / "holes.mka"
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None and not 1.0 < float(packet.pts * packet.time_base) < 1.8:
                packet.stream = stream
                out.mux(packet)
    with decoded(path, TWO[:1]) as recorded:
        sound = recorded.sounds["user"]
        assert starts(sound.samples) == pytest.approx(TIMES, abs=0.03)
        assert 0.5 < sound.gaps < 1.0


def test_what_is_sent_twice_is_heard_once_and_the_rest_stays_where_it_was(tmp_path: Path) -> None:
    told = bursts([0.5, 2.0, 3.5, 5.0], 7)
    first = write_talk(tmp_path / "0.ts", Told(told[: 4 * RATE]), video=False)
    again = write_talk(tmp_path / "1.ts", Told(told[3 * RATE :]), video=False, options=["-output_ts_offset", "3"])
    path = tmp_path / "talk.ts"
    path.write_bytes(first.read_bytes() + again.read_bytes())
    with decoded(path, TWO[:1]) as recorded:
        sound = recorded.sounds["user"]
        assert starts(sound.samples) == pytest.approx([0.5, 2.0, 3.5, 5.0], abs=0.05)
        assert sound.seconds == pytest.approx(7, abs=0.1)
        assert sound.overlaps == pytest.approx(1, abs=0.1)


def test_recordings_that_were_put_together_follow_each_other(tmp_path: Path) -> None:
    # Each begins at 0 again: nothing of the second is the first one, sent twice.
    parts = [Told(bursts([0.5, 2.0], 3)), Told(bursts([1.0], 3, seed=1))]
    files = [write_talk(tmp_path / f"{n}.ogg", part, codec="libopus", video=False) for n, part in enumerate(parts)]
    path = tmp_path / "talk.ogg"
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    with decoded(path, TWO[:1]) as recorded:
        sound = recorded.sounds["user"]
        assert starts(sound.samples) == pytest.approx([0.5, 2.0, 4.0], abs=0.05)
        assert (sound.clock_sets, sound.overlaps) == (1, 0)


def test_a_track_without_a_packet_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "talk.mkv"
    whole = write_talk(tmp_path / "whole.mkv", Told(bursts(TIMES, 6)), Told(bursts([], 6)))
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.stream_index != 2:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    with decoded(path, TWO) as recorded:
        assert recorded.sounds["assistant"].seconds == 0
        assert starts(recorded.sounds["user"].samples) == pytest.approx(TIMES, abs=0.05)


def test_a_damaged_stretch_is_silence_and_counted(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "talk.mka", Told(bursts(TIMES, 6)), codec="flac", video=False)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    with decoded(path, TWO[:1]) as recorded:
        found = starts(recorded.sounds["user"].samples)
        assert found[0] == pytest.approx(TIMES[0], abs=0.03)
        assert found[-1] == pytest.approx(TIMES[-1], abs=0.03)


def test_a_text_file_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_text("hello")
    with pytest.raises(MediaError, match="cannot be read") as failure, decoded(path, TWO):
        pass
    assert failure.value.code == "unreadable-audio"


def test_a_piece_is_cut_where_it_is_and_muted_where_it_is_bleed() -> None:
    sound = Sound(np.full(RATE, 16384, np.int16), muted=(Span(0.25, 0.5),))
    piece = sound.piece(Span(0.2, 0.6), pad=0.1)
    assert len(piece) == round(0.6 * RATE)
    assert (piece[: round(0.15 * RATE)] == 0.5).all()
    assert (piece[round(0.15 * RATE) : round(0.4 * RATE)] == 0).all()
    assert (piece[round(0.4 * RATE) :] == 0.5).all()


def test_a_piece_ends_where_the_sound_does() -> None:
    sound = Sound(np.ones(RATE, np.int16))
    assert len(sound.piece(Span(0.9, 5.0), pad=0.1)) == round(0.2 * RATE)
    assert len(sound.piece(Span(3.0, 5.0))) == 0
    assert len(sound.piece(Span(0.0, 0.1), pad=0.5)) == round(0.6 * RATE)
