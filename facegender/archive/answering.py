"""Answering the photos and videos of a shard, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from facegender.archive.sources import Reader
from facegender.errors import PhotoError, VideoError
from facegender.images.footage import is_video_name
from facegender.images.video import Sampling
from facegender.prediction.predictor import Prediction, Predictor
from facegender.prediction.video import Answer, VideoPrediction, predict_video


def answers_to(
    names: Sequence[str], reader: Reader, predictor: Predictor, sampling: Sampling
) -> Iterator[Answer]:
    """Yield the answer to each name, which is its path. Videos are known by their suffix.

    Raises:
        StoreError: a store does not answer, or refuses.
    """
    for video, group in groupby(names, key=is_video_name):
        some = list(group)
        if video:
            yield from (_video(name, reader, predictor, sampling) for name in some)
            continue
        sources = zip(some, reader.sources(some), strict=True)
        for name, answer in predictor.stream_keyed(sources):
            yield Prediction(name, answer.faces, answer.error)


def is_missing(answer: Answer) -> bool:
    """Whether there is no such file."""
    if isinstance(answer.error, PhotoError):
        return answer.error.reason == "missing"
    return answer.error is not None and answer.error.message == VideoError.MISSING


def _video(name: str, reader: Reader, predictor: Predictor, sampling: Sampling) -> VideoPrediction:
    path = reader.whole_name(name)
    if "://" in path:
        why = VideoError("refused: videos are read from disks, not from buckets or the web")
        return VideoPrediction(name, 0.0, 0.0, (), why)
    return replace(predict_video(predictor, path, sampling), path=name)
