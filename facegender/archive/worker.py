"""Scoring a shard to an answer file. Runs in a Ray actor, but is independent of Ray."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from facegender._version import __version__
from facegender.archive.answering import answers_to, is_missing
from facegender.archive.parts import facts_of, part_bytes
from facegender.archive.shards import Shard, names_of
from facegender.archive.sources import Reader
from facegender.archive.store import Folder
from facegender.errors import FaceGenderError
from facegender.faces.detection import Detector
from facegender.images.video import DEFAULT_SAMPLING, Sampling
from facegender.prediction.predictor import Predictor

BEGUN: Final = "_begun-"
"""Prefix of the file that counts the attempts at a shard; removed when the shard is done."""
MAX_TRIES: Final = 3
"""Attempts after which a shard is skipped, so that one photo cannot block the others."""
FAILURES_TOLD: Final = 5
"""Failed photos reported per shard; the answers name all of them."""


@dataclass(frozen=True, slots=True)
class ScoringJob:
    """Everything a worker needs, small enough to be sent to each one.

    Attributes:
        model: the files of the model folder, name -> bytes.
        threshold: see `Predictor`.
        detector: the detector that every machine must use.
        output: the folder of the answers.
        plan: name of the plan in that folder.
        reader: reads photos.
        far: whether workers may run on other machines.
        sampling: the frames of videos that are looked at.
        version: the version of facegender that made the job.
    """

    model: Mapping[str, bytes]
    threshold: float
    detector: Detector
    output: Folder
    plan: str
    reader: Reader
    far: bool
    sampling: Sampling = DEFAULT_SAMPLING
    version: str = __version__

    def load(self) -> Predictor:
        """Return the predictor of the job, limited to one core.

        Raises:
            FaceGenderError: this machine would give different answers.
        """
        if self.version != __version__:
            raise FaceGenderError(
                f"facegender is {__version__} on {socket.gethostname()} and {self.version} here",
                "Install the same version everywhere.",
            )
        wanted = self.detector.describe()
        with tempfile.TemporaryDirectory() as folder:
            for name, data in self.model.items():
                (Path(folder) / name).write_bytes(data)
            predictor = Predictor(
                folder,
                threshold=self.threshold,
                workers=1,
                detect=self.detector.name is not None,
                min_face=wanted["min_face"],
                min_score=wanted["min_score"],
            )
        if predictor.detector != self.detector:
            raise FaceGenderError(
                f"{socket.gethostname()} uses the detector {predictor.detector}, "
                f"this machine uses {self.detector}",
                "Install the same face detector everywhere.",
            )
        return predictor


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a shard.

    Attributes:
        name: name of the shard.
        photos: number of photos.
        failed: number of photos that could not be used.
        faces: number of faces found.
        failures: (path, reason) of the first failures.
        trouble: why there are no answers, "" if there are.
        hopeless: whether every other shard would fail too.
    """

    name: str
    photos: int
    failed: int = 0
    faces: int = 0
    failures: Sequence[tuple[str, str]] = ()
    trouble: str = ""
    hopeless: bool = False


class Scorer:
    """Scores shards.

    Args:
        job: see `ScoringJob`.
    """

    def __init__(self, job: ScoringJob) -> None:
        self.job = job

    @cached_property
    def predictor(self) -> Predictor:
        """The predictor, created on first use."""
        return self.job.load()

    def score(self, shard: Shard) -> Done:
        """Score a shard and write its answers, or return why that is impossible."""
        try:
            predictor = self.predictor
        except FaceGenderError as error:
            return Done(shard.name, shard.photos, trouble=_sentence(error), hopeless=True)
        try:
            return self._there(shard) or self._scored(shard, predictor)
        except (FaceGenderError, OSError) as error:
            return Done(shard.name, shard.photos, trouble=_sentence(error))

    def _there(self, shard: Shard) -> Done | None:
        """Return the result of an earlier attempt whose worker died before reporting it."""
        data = self.job.output.read(shard.name)
        facts = facts_of(data) if data is not None else None
        if facts is None:
            return None
        return Done(shard.name, shard.photos, facts["failed"], facts["faces"])

    def _scored(self, shard: Shard, predictor: Predictor) -> Done:
        output, mark = self.job.output, BEGUN + shard.name
        tries = int(output.read(mark) or 0)
        if tries >= MAX_TRIES:
            names = names_of(shard, output, self.job.plan)
            raise FaceGenderError(
                f"{tries} workers died while scoring {len(names):,} photos from {names[0]} on",
                "Give workers more memory, or find the photo with predict and leave it out.",
            )
        output.write(mark, str(tries + 1).encode())
        done = self._answered(shard, predictor)
        output.remove(mark)
        return done

    def _answered(self, shard: Shard, predictor: Predictor) -> Done:
        names = names_of(shard, self.job.output, self.job.plan)
        photos: list[dict[str, Any]] = []
        errors: list[tuple[str, str]] = []
        missing = faces = 0
        answers = answers_to(names, self.job.reader, predictor, self.job.sampling)
        for name, answer in zip(names, answers, strict=True):
            photos.append(answer.to_json())
            faces += len(answer.faces)
            if answer.error is not None:
                errors.append((name, answer.error.message))
                missing += is_missing(answer)
        if self.job.far and missing == len(names):
            raise FaceGenderError(
                f"none of the {len(names):,} photos from {names[0]} on exists on "
                f"{socket.gethostname()}",
                "Mount their folder on every machine, or remove them from the list.",
            )
        facts = {
            "schema": 1,
            "version": self.job.version,
            "fingerprint": predictor.bundle.fingerprint,
            "threshold": predictor.threshold,
            "photos": len(photos),
            "failed": len(errors),
            "faces": faces,
        }
        self.job.output.write(shard.name, part_bytes(photos, facts))
        told = tuple(islice(errors, FAILURES_TOLD))
        return Done(shard.name, len(photos), len(errors), faces, told)


class ScoringActor:
    """A `Scorer` with the interface of Ray Data: a batch of rows in, rows out; a row is a shard.

    Args:
        job: see `ScoringJob`.
    """

    def __init__(self, job: ScoringJob) -> None:
        self._scorer = Scorer(job)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
        """Score the shards of a JSON column and return their results in another."""
        shards = [Shard(**json.loads(text)) for text in batch["shard"]]
        return {"done": [json.dumps(_plain(self._scorer.score(shard))) for shard in shards]}


def done_of(text: str) -> Done:
    """Return the result of a shard that an actor returned."""
    facts = json.loads(text)
    return Done(**{**facts, "failures": [tuple(pair) for pair in facts["failures"]]})


def _plain(done: Done) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(done)


def _sentence(error: Exception) -> str:
    if isinstance(error, FaceGenderError):
        return f"{error.message}. {error.hint}" if error.hint else error.message
    return f"{type(error).__name__}: {error}"
