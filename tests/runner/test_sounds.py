"""Files of recordings become samples: of every kind, and however hostile."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.runner.sounds import MOST_SECONDS, Recordings, Samples, read_sound
from tests.fakes.ears import RATE, make_sound, tone

FILES: dict[str, bytes] = {
    "WAV of 16 bits": make_sound(),
    "WAV of 8 bits": make_sound(subtype="PCM_U8"),
    "WAV of 24 bits": make_sound(subtype="PCM_24"),
    "WAV of 32 bits": make_sound(subtype="PCM_32"),
    "WAV of floats": make_sound(subtype="FLOAT"),
    "WAV of doubles": make_sound(subtype="DOUBLE"),
    "WAV of telephones": make_sound(subtype="ULAW"),
    "WAV with its channels named": make_sound(format="WAVEX"),
    "WAV of six channels": make_sound(channels=6),
    "WAV of a CD": make_sound(rate=44_100, channels=2),
    "WAV of 8 kHz": make_sound(rate=8_000),
    "WAV of 192 kHz": make_sound(rate=192_000),
    "MP3": make_sound(format="MP3"),
    "MP3 of a CD": make_sound(format="MP3", rate=44_100, channels=2),
    "FLAC": make_sound(format="FLAC"),
    "Ogg Vorbis": make_sound(format="OGG", subtype="VORBIS"),
    "Ogg Opus": make_sound(format="OGG", subtype="OPUS"),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_every_kind_sounds_as_it_did(data: bytes) -> None:
    samples = read_sound(data, 0, RATE)
    assert samples.dtype == np.float32
    assert abs(len(samples) - RATE) < RATE // 20  # MP3 adds silence
    assert _pitch(samples) == pytest.approx(440, abs=2)
    middle = samples[RATE // 4 : 3 * RATE // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.36, abs=0.03)  # of a tone and noise


def test_another_rate_has_no_echo_of_what_it_cannot_hold() -> None:
    """7 kHz at 48 kHz fits into 16 kHz; 12 kHz does not, and would come back as 4 kHz."""
    for hertz, power in ((7_000, 0.5), (12_000, 0.0)):
        wave = np.sin(2 * np.pi * hertz * np.arange(48_000) / 48_000).astype(np.float32)
        heard = read_sound(_wav(wave, 48_000), 0, RATE)[2_000:-2_000]
        assert np.mean(heard**2) == pytest.approx(power, abs=1e-3)


def test_channels_are_mixed_in_equal_parts() -> None:
    left, right = tone(1, hertz=300), tone(1, hertz=800)
    both = read_sound(_wav(np.stack([left, right], axis=1), RATE), 0, RATE)
    assert np.allclose(both, (left + right) / 2, atol=1e-4)


def test_what_is_very_short_ends_in_silence() -> None:
    heard = read_sound(_wav(np.ones(3, np.float32) / 2, RATE), 0, RATE)
    assert len(heard) == RATE // 10
    assert not heard[3:].any()


def test_numbers_that_are_none_are_not_passed_on() -> None:
    wave = np.array([np.nan, np.inf, -np.inf, 5e30, 0.25] * 1000, np.float32)
    heard = read_sound(_wav(wave, RATE, "FLOAT"), 0, RATE)
    assert heard[:5].tolist() == [0, 1, -1, 1, 0.25]


def _declaring(rate: int, channels: int) -> bytes:
    """A WAV file of silence that says this of itself."""
    data = bytes(4_000 * channels)
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16
    )
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "recording 3 cannot be read"),
    "a head alone": (make_sound()[:20], "recording 3"),
    "no sound": (_declaring(RATE, 1)[:44], "recording 3 is empty"),
    "a text": (b"RIFF....WAVEhello", "recording 3 cannot be read"),
    "Apple's kind": (make_sound(format="AIFF"), "is not a WAV, MP3, FLAC or Ogg file"),
    "too many channels": (_declaring(RATE, 17), "has 17 channels: at most 16"),
    "too slow": (_declaring(999, 1), "has 999 samples a second"),
    "too fast": (_declaring(400_000, 1), "has 400000 samples a second"),
}


@pytest.mark.parametrize(("data", "text"), REFUSED.values(), ids=REFUSED)
def test_refusals(data: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        read_sound(data, 3, RATE)


def test_long_recordings_are_not_decoded_to_their_ends() -> None:
    """A day of silence is 15 MB as FLAC would have it, and gigabytes of samples."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 1_000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(24):
            file.write(np.zeros(3_600_000, np.int16))
    assert len(out.getvalue()) < 2_000_000
    with pytest.raises(BadRequest, match=f"recording 0 is longer than {MOST_SECONDS} seconds"):
        read_sound(out.getvalue(), 0, RATE)


def test_so_is_what_has_many_samples_for_its_seconds() -> None:
    wide = make_sound(1, rate=192_000, channels=8)
    assert len(read_sound(wide, 0, RATE, most=8 * 192_000)) == RATE
    with pytest.raises(BadRequest, match="recording 2 is too large: channels times samples"):
        read_sound(wide, 2, RATE, most=8 * 192_000 - 1)


def test_all_recordings_of_a_request_have_a_cap() -> None:
    long = _wav(np.zeros(1_000 * MOST_SECONDS // 2, np.float32), 1_000, "PCM_U8")
    recordings = Recordings(1_000)
    for _ in range(2):  # also where they are there already
        assert len(recordings.read_all([(0, long), (1, long)])) == 2
        with pytest.raises(BadRequest, match="longer than 1800 seconds together"):
            recordings.read_all([(0, long), (1, long), (4, make_sound())])


def test_those_that_are_only_measured_share_the_work() -> None:
    """They may be longer together than in a prompt, but no request has them decoded without end."""
    files = [(number, make_sound(seed=number)) for number in range(3)]
    recordings = Recordings(RATE)
    for _ in range(2):  # also where they are there already
        read = recordings.read_each(files, most=3 * RATE)
        assert [len(each.samples) for each in read] == 3 * [RATE]
        with pytest.raises(BadRequest, match="recording 2 is too large"):
            list(recordings.read_each(files, most=3 * RATE - 1))


def test_a_recording_is_decoded_once_while_it_is_in_use() -> None:
    one, two, three = (make_sound(seed=number) for number in range(3))
    recordings = Recordings(RATE, kept_bytes=2 * RATE * 4)

    def read(data: bytes) -> Samples:
        (recording,) = recordings.read_all([(0, data)])
        assert np.array_equal(recording.samples, read_sound(data, 0, RATE))
        return recording.samples

    first, second = read(one), read(two)
    assert read(one) is first
    third = read(three)  # the one that was not used for longest goes
    assert read(one) is first
    assert read(three) is third
    assert read(two) is not second


def test_what_is_longer_than_what_is_kept_sends_nothing_away() -> None:
    recordings = Recordings(RATE, kept_bytes=RATE * 4)
    short, long = [(0, make_sound())], [(0, make_sound(2))]
    (kept,) = recordings.read_all(short)
    (first,), (second,) = recordings.read_all(long), recordings.read_all(long)
    assert first.samples is not second.samples
    assert first.digest == second.digest
    assert recordings.read_all(short)[0].samples is kept.samples


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_damaged_files_are_read_or_refused(name: str, data: st.DataObject) -> None:
    file = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, min(len(file), 2_000) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    try:
        samples = read_sound(bytes(file[:cut]), 0, RATE)
    except BadRequest:
        return
    assert np.isfinite(samples).all()


def _wav(wave: np.ndarray, rate: int, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format="WAV", subtype=subtype)
    return out.getvalue()


def _pitch(samples: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / RATE)[power.argmax()])
