"""What a file of answers was made with, in the words of the options that say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_OPTIONS: Final = (
    *("threshold", "only", "copy", "annotate", "crops", "sort", "frames", "subtitles"),
    *("start", "end", "min_face", "min_score"),
)
_WORDS: Final[Mapping[str, str]] = {name: f"--{name.replace('_', '-')}" for name in _OPTIONS} | {
    "format": "the format",
    "model": "the model",
    "finder": "the detector",
    "video_columns": "columns for videos",
}


def differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what differs, each such as ``with --fps 5, now with --fps 2``.

    Args:
        known: the facts that a file of answers was begun with.
        now: those asked for.
    """
    before, after = _phrases({name: known.get(name) for name in now}), _phrases(now)
    both = [name for name in after if name in before]  # without a detector it has no options
    found = [f"{before[name]}, now {after[name]}" for name in both if before[name] != after[name]]
    alike = all(known.get(name) == value for name, value in now.items())
    return found or ([] if alike else ["with other options"])


def _phrases(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts one by one, such as ``without --crops``."""
    phrases: dict[str, str] = {}
    for name, value in facts.items():
        if name == "sampling":
            phrases |= _sampled(value) if isinstance(value, Mapping) else {}
        elif name == "detector":
            parts = value.items() if isinstance(value, Mapping) else ()
            phrases |= {part: _phrase(_WORDS.get(part, part), one) for part, one in parts}
            phrases["no_detect"] = _phrase("--no-detect", value is None)
        else:
            phrases[name] = _phrase(_WORDS.get(name, name), value)
    return phrases


def _sampled(sampling: Mapping[str, Any]) -> dict[str, str]:
    """Return which frames are looked at: so many a second, or the keyframes instead."""
    fps = _phrase("--fps", sampling.get("fps"))
    return {
        "frames looked at": "with --keyframes" if sampling.get("keyframes") else fps,
        "start": _phrase("--start", sampling.get("start") or None),
        "end": _phrase("--end", sampling.get("end")),
    }


def _phrase(word: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return f"{'with' if value else 'without'} {word}"
    if isinstance(value, float):
        return f"with {word} {str(value).removesuffix('.0')}"
    return f"with {word} {value if isinstance(value, str) else json.dumps(value)}"
