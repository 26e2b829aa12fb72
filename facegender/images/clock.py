"""Moments of a video: seconds <-> h:mm:ss.mmm."""

from __future__ import annotations

import re
from typing import Final

from facegender.errors import UsageError

_CLOCK: Final = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss.mmm, such as 1:02:03.450."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def parse_clock(text: str) -> float:
    """Read seconds, m:ss or h:mm:ss, each with decimals or without.

    Raises:
        UsageError: it is none of these.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None or (found[2] is not None and float(found[3]) >= 60):
        raise UsageError(
            f"malformed time: {text!r}", "Give seconds, as 90.5, or h:mm:ss, as 0:01:30."
        )
    return 3600.0 * int(found[1] or 0) + 60.0 * int(found[2] or 0) + float(found[3])
