"""Tracks -> subtitles: ASS with a word at each face, and WebVTT with a line a track (pysubs2)."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

from PIL import ImageColor

from facegender.errors import FaceGenderError
from facegender.prediction.annotate import COLOURS
from facegender.prediction.positions import Positions
from facegender.prediction.video import TrackPrediction, VideoPrediction

if TYPE_CHECKING:
    from pysubs2 import SSAFile

PIECE: Final = 1.0
"""Seconds for which a word moves in a straight line."""


def refuse_without_pysubs2() -> None:
    """Raise where pysubs2 is missing.

    Raises:
        FaceGenderError: it is.
    """
    if importlib.util.find_spec("pysubs2") is None:
        raise FaceGenderError(
            "subtitles need pysubs2, which is not installed",
            "Install it: pip install 'facegender[video]'.",
        )


def words(track: TrackPrediction, number: int) -> str:
    """Return what is written at a face, such as ``3: female 97 %``; ``?`` marks the uncertain."""
    sure = 100 * max(track.probabilities)
    return f"{number}: {track.name} {sure:.0f} %" + ("?" if track.uncertain else "")


def ass_text(
    prediction: VideoPrediction, positions: Positions, size: tuple[int, int], mark: str
) -> str:
    """Return subtitles that follow the faces.

    Args:
        prediction: of a video.
        positions: of its tracks.
        size: upright (width, height) of the video.
        mark: a comment that tells whose file it is.
    """
    import pysubs2

    subtitles = pysubs2.SSAFile()
    subtitles.info |= {
        "Title": mark,
        "PlayResX": str(size[0]),
        "PlayResY": str(size[1]),
        "ScaledBorderAndShadow": "yes",
    }
    height = max(12, round(size[1] / 27))
    for name, colour in COLOURS.items():
        subtitles.styles[name] = pysubs2.SSAStyle(
            fontname="Arial",
            fontsize=height,
            bold=True,
            primarycolor=pysubs2.Color(*ImageColor.getrgb(colour)[:3]),
            outline=max(1.0, height / 12),
            shadow=0,
            alignment=pysubs2.Alignment.TOP_CENTER,
        )
    for number, track in enumerate(prediction.tracks, start=1):
        style = "uncertain" if track.uncertain else track.name
        for begin, end, first, last in positions.pieces(number, PIECE):
            (x, y), (u, v) = _below(first), _below(last)
            move = f"{{\\move({x},{y},{u},{v})}}"
            _add(subtitles, begin, end, move + words(track, number), style)
    subtitles.sort()
    return subtitles.to_string("ass")


def vtt_text(prediction: VideoPrediction, mark: str) -> str:
    """Return a line a track, from its start to its end, with no place."""
    import pysubs2

    subtitles = pysubs2.SSAFile()
    for number, track in enumerate(prediction.tracks, start=1):
        _add(subtitles, track.start, track.end, words(track, number), "Default")
    subtitles.sort()
    head, _, rest = subtitles.to_string("vtt").partition("\n")
    return f"{head}\n\nNOTE {mark}\n{rest}"


def _add(subtitles: SSAFile, begin: float, end: float, text: str, style: str) -> None:
    import pysubs2

    subtitles.append(
        pysubs2.SSAEvent(start=round(1000 * begin), end=round(1000 * end), text=text, style=style)
    )


def _below(box: tuple[float, float, float, float]) -> tuple[int, int]:
    """The middle of a box's lower edge, in whole pixels."""
    x, y, width, height = box
    return round(x + width / 2), round(y + height)
