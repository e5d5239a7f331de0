"""Numbers, sizes, times and durations, as the reference writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.fmt import (
    BadDuration,
    format_duration,
    human_bytes,
    human_bytes_binary,
    human_number,
    human_time,
    parse_duration,
    rfc3339,
    utc_stamp,
)

SECOND = 10**9
HOUR = 3600 * SECOND

WRITTEN = {
    "0s": 0,
    "1ns": 1,
    "350µs": 350_000,
    "1.5µs": 1_500,
    "12.5ms": 12_500_000,
    "1s": SECOND,
    "1.234567891s": 1_234_567_891,
    "2m5s": 125 * SECOND,
    "1m0s": 60 * SECOND,
    "1h0m0s": HOUR,
    "1h2m3.5s": HOUR + 123 * SECOND + SECOND // 2,
    "-1m30s": -90 * SECOND,
    "-5ms": -5_000_000,
    "2562047h47m16.854775807s": 2**63 - 1,
}


@pytest.mark.parametrize(("text", "nanoseconds"), WRITTEN.items(), ids=WRITTEN)
def test_durations_are_written_and_read(text: str, nanoseconds: int) -> None:
    assert format_duration(nanoseconds) == text
    assert parse_duration(text) == nanoseconds


READ = {
    "0": 0,
    "-0": 0,
    "+5s": 5 * SECOND,
    "5m": 300 * SECOND,
    "1h30m": 90 * 60 * SECOND,
    "300ms": 300_000_000,
    "-1m": -60 * SECOND,
    ".5s": SECOND // 2,
    "5.s": 5 * SECOND,
    "1us": 1_000,
    "1μs": 1_000,
    "1.0000000001s": SECOND,
    "1s1h": HOUR + SECOND,
    "00000000000000000000000000000000000007s": 7 * SECOND,
    "0." + "3" * 5000 + "s": 333_333_333,
}


@pytest.mark.parametrize(("text", "nanoseconds"), READ.items(), ids=[key[:20] for key in READ])
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


REFUSED = {
    "": 'time: invalid duration ""',
    "5": 'time: missing unit in duration "5"',
    "1h5": 'time: missing unit in duration "1h5"',
    "1d": 'time: unknown unit "d" in duration "1d"',
    "five": 'time: invalid duration "five"',
    "-": 'time: invalid duration "-"',
    ".s": 'time: invalid duration ".s"',
    "1.2.3s": 'time: missing unit in duration "1.2.3s"',
    "--1s": 'time: invalid duration "--1s"',
    "٣s": 'time: invalid duration "٣s"',
    "2562047h47m16.854775808s": 'time: invalid duration "2562047h47m16.854775808s"',
    "99999999999999999999h": 'time: invalid duration "99999999999999999999h"',
}


@pytest.mark.parametrize(("text", "complaint"), REFUSED.items(), ids=REFUSED)
def test_other_texts_are_no_durations(text: str, complaint: str) -> None:
    with pytest.raises(BadDuration) as caught:
        parse_duration(text)
    assert str(caught.value) == complaint


def test_millions_of_digits_are_refused_in_no_time() -> None:
    with pytest.raises(BadDuration):
        parse_duration("9" * 2_000_000 + "h")


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_reads_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@given(st.text() | st.text("0123456789.+-hmsuµn \n", max_size=40))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        nanoseconds = parse_duration(text)
    except BadDuration:
        return
    assert abs(nanoseconds) <= 2**63


BYTES = {
    0: "0 B",
    999: "999 B",
    1000: "1 KB",
    1500: "1.5 KB",
    9_960: "10.0 KB",
    10_500: "10 KB",
    999_999: "999 KB",
    1_000_000: "1 MB",
    1_234_567_890: "1.2 GB",
    4_661_224_676: "4.7 GB",
    1_999_999_999_999: "2.0 TB",
    5 * 10**15: "5000 TB",
}


@pytest.mark.parametrize(("count", "text"), BYTES.items(), ids=BYTES.values())
def test_sizes_in_decimal_units(count: int, text: str) -> None:
    assert human_bytes(count) == text


BINARY = {
    0: "0 B",
    1023: "1023 B",
    1024: "1.0 KiB",
    1_048_575: "1024.0 KiB",
    2**20: "1.0 MiB",
    2**30 - 1: "1024.0 MiB",
    2**30: "1.0 GiB",
    2**40: "1024.0 GiB",
}


@pytest.mark.parametrize(("count", "text"), BINARY.items(), ids=BINARY.values())
def test_sizes_in_binary_units(count: int, text: str) -> None:
    assert human_bytes_binary(count) == text


NUMBERS = {
    0: "0",
    12: "12",
    999: "999",
    1000: "1K",
    1001: "1K",
    133_700_000: "133.70M",
    134_515_008: "134.52M",
    500_550_000: "500.55M",
    1_000_000: "1M",
    10**9: "1B",
    2_850_000_000: "2.9B",
    7 * 10**9: "7B",
    8_030_000_000: "8.0B",
    8_030_261_312: "8.0B",
    10**12: "1000B",
}


@pytest.mark.parametrize(("count", "text"), NUMBERS.items(), ids=[str(key) for key in NUMBERS])
def test_counts_of_parameters(count: int, text: str) -> None:
    assert human_number(count) == text


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = 24 * 3600

AGES = {
    0.0: "Less than a second ago",
    0.9: "Less than a second ago",
    1.0: "1 second ago",
    59.9: "59 seconds ago",
    60.0: "About a minute ago",
    119.0: "About a minute ago",
    120.0: "2 minutes ago",
    3599.0: "59 minutes ago",
    3600.0: "About an hour ago",
    1.49 * 3600: "About an hour ago",
    1.5 * 3600: "2 hours ago",
    float(DAY): "24 hours ago",
    47.4 * 3600: "47 hours ago",
    2.0 * DAY: "2 days ago",
    13.9 * DAY: "13 days ago",
    14.0 * DAY: "2 weeks ago",
    59.0 * DAY: "8 weeks ago",
    60.0 * DAY: "2 months ago",
    729.0 * DAY: "24 months ago",
    730.0 * DAY: "2 years ago",
    1095.0 * DAY - 60: "2 years ago",
    -10.0: "10 seconds from now",
    -4.0 * 60: "4 minutes from now",
    -365.0 * 19 * DAY: "19 years from now",
    -365.0 * 20.5 * DAY: "20 years from now",
    -365.0 * 21 * DAY: "Forever",
}


@pytest.mark.parametrize(("seconds", "text"), AGES.items(), ids=[f"{key:g}" for key in AGES])
def test_ages(seconds: float, text: str) -> None:
    assert human_time(NOW - timedelta(seconds=seconds), NOW, "Never") == text


def test_no_moment_has_the_callers_word() -> None:
    assert human_time(None, NOW, "Never") == "Never"


STAMPS = {
    "UTC, no fraction": (NOW, None, "2026-01-01T12:00:00Z"),
    "trailing zeros go": (NOW.replace(microsecond=120_000), None, "2026-01-01T12:00:00.12Z"),
    "nanoseconds": (NOW, 123_456_789, "2026-01-01T12:00:00.123456789Z"),
    "nanoseconds replace": (NOW.replace(microsecond=5), 0, "2026-01-01T12:00:00Z"),
    "an early second": (NOW, 1, "2026-01-01T12:00:00.000000001Z"),
    "east": (
        NOW.replace(tzinfo=timezone(timedelta(hours=5, minutes=30))),
        None,
        "2026-01-01T12:00:00+05:30",
    ),
    "west": (
        NOW.replace(tzinfo=timezone(-timedelta(hours=3, minutes=30))),
        None,
        "2026-01-01T12:00:00-03:30",
    ),
}


@pytest.mark.parametrize(("moment", "nanosecond", "text"), STAMPS.values(), ids=STAMPS)
def test_timestamps(moment: datetime, nanosecond: int | None, text: str) -> None:
    assert rfc3339(moment, nanosecond) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_767_268_800_120_000_003, "2026-01-01T12:00:00.120000003Z"),
        (1_767_268_800_500_000_000, "2026-01-01T12:00:00.5Z"),
        (1_767_268_801_000_000_000, "2026-01-01T12:00:01Z"),
    ],
)
def test_stamps_of_nanoseconds(nanoseconds: int, text: str) -> None:
    assert utc_stamp(nanoseconds) == text
