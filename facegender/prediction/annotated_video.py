"""A copy of a video with boxes and words at the faces, as MP4; sound that MP4 holds is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from facegender.errors import FaceGenderError, VideoError
from facegender.faces.geometry import Face
from facegender.images.decode import Photo
from facegender.images.footage import Footage, open_footage
from facegender.images.video import Sampling
from facegender.prediction.annotate import draw_faces
from facegender.prediction.positions import Positions
from facegender.prediction.predictor import FacePrediction
from facegender.prediction.sound import Sound
from facegender.prediction.video import VideoPrediction
from facegender.runtime.files import atomic_path

CLOCK: Final = 90_000
"""Ticks of a second, as of MPEG: every frame keeps its own moment."""
ALL: Final = 1000.0
"""Frames a second: more than any video has."""


def write_annotated(
    source: str | os.PathLike[str],
    target: Path,
    prediction: VideoPrediction,
    positions: Positions,
    sampling: Sampling,
    mark: str,
    on_progress: Callable[[float, float | None], None] | None = None,
) -> None:
    """Write a video with a box and a word at each face, in every frame.

    Args:
        source: the video that was predicted.
        target: an MP4 file; one that is there is replaced only if it carries the mark.
        prediction, positions: of `source`.
        sampling: its start and end are kept.
        mark: written as the comment of the file.
        on_progress: told the seconds done, and in all where that is known.

    Raises:
        FaceGenderError: another file is in the way, or it cannot be written.
        VideoError: the video cannot be read any more.
    """
    import av

    if os.path.lexists(target) and not carries_mark(target, mark):
        raise FaceGenderError(
            f"{target} is in the way: it is another file", "Choose another folder."
        )
    every = Sampling(ALL, False, sampling.start, sampling.end)
    with open_footage(source, every) as video, atomic_path(target) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4") as container:
                container.metadata["comment"] = mark
                with Sound(source, sampling.end) as sound:
                    _encode(container, video, prediction, positions, sound, on_progress)
        except OSError:
            raise
        except (av.error.FFmpegError, ValueError) as error:
            raise FaceGenderError(f"{target} cannot be encoded: {error}", "") from error


def carries_mark(path: Path, mark: str) -> bool:
    """Tell whether an MP4 file was written here from the same source."""
    import av

    try:
        with path.open("rb") as file, av.open(file, metadata_errors="replace") as container:
            return container.metadata.get("comment") == mark
    except (OSError, ValueError, av.error.FFmpegError):
        return False


def _encode(
    container: Any,
    video: Footage,
    prediction: VideoPrediction,
    positions: Positions,
    sound: Sound,
    on_progress: Callable[[float, float | None], None] | None,
) -> None:
    """Draw and encode every frame."""
    import av

    stream, first = None, 0.0
    for frame in video.frames():
        image = _drawn(frame.pixels, video.scale, frame.time, prediction, positions)
        if stream is None:
            first = frame.time
            stream = _stream(container, image.size, video)
            sound.begin(container, first)
        picture = av.VideoFrame.from_ndarray(_even(np.asarray(image)), format="rgb24")
        picture.pts = round((frame.time - first) * CLOCK)
        picture.time_base = Fraction(1, CLOCK)
        container.mux(stream.encode(picture))
        sound.write_until(frame.time)
        if on_progress is not None:
            on_progress(frame.time, video.seconds)
    if stream is None:
        raise VideoError("damaged: no frame of this video can be decoded")
    container.mux(stream.encode())
    sound.write_until(max(frame.time, video.until))


def _stream(container: Any, size: tuple[int, int], video: Footage) -> Any:
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    stream = container.add_stream(codec, rate=Fraction(video.rate or 25).limit_denominator(1001))
    stream.width, stream.height = size[0] // 2 * 2, size[1] // 2 * 2
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
    if codec == "libx264":
        stream.options = {"preset": "veryfast", "crf": "21"}
    return stream


def _drawn(
    pixels: Photo, scale: float, time: float, prediction: VideoPrediction, positions: Positions
) -> Image.Image:
    """A frame with the faces that are seen at its moment."""
    seen = positions.at(time)
    faces = []
    for number, box in seen:
        track = prediction.tracks[number - 1]
        face = Face(box, None, track.score).scaled(scale, scale)
        faces.append(FacePrediction(face, track.probabilities, track.uncertain))
    return draw_faces(pixels, tuple(faces), tuple(number for number, _ in seen))


def _even(pixels: Photo) -> Photo:
    """Cut a last odd row and column, which 4:2:0 has no place for."""
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(pixels[: height // 2 * 2, : width // 2 * 2])
