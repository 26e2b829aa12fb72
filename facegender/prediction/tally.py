"""Counts of answers: of a whole run, of each folder, or of each value of a column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from facegender.images.clock import clock
from facegender.labels import LABELS
from facegender.prediction.screen_time import ScreenTime
from facegender.prediction.video import Answer, VideoPrediction


@dataclass(frozen=True, slots=True)
class Tally:
    """What some photos were answered with.

    Attributes:
        photos: how many there were, videos and those that failed included.
        women, men: faces with a sure answer.
        uncertain: faces without one.
        no_face: photos in which no face was found.
        failed: photos that could not be used, and videos of which a part could not.
        seconds_women, seconds_men, seconds_uncertain: screen time in videos, whose tracks count as
            faces.
        videos: how many of the photos are videos.
    """

    photos: int = 0
    women: int = 0
    men: int = 0
    uncertain: int = 0
    no_face: int = 0
    failed: int = 0
    seconds_women: float = 0.0
    seconds_men: float = 0.0
    seconds_uncertain: float = 0.0
    videos: int = 0

    @property
    def screen_time(self) -> ScreenTime:
        """Screen time in videos."""
        return ScreenTime(self.seconds_women, self.seconds_men, self.seconds_uncertain)

    @property
    def faces(self) -> int:
        """Faces found: sure and uncertain."""
        return self.women + self.men + self.uncertain

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.photos + other.photos,
            self.women + other.women,
            self.men + other.men,
            self.uncertain + other.uncertain,
            self.no_face + other.no_face,
            self.failed + other.failed,
            self.seconds_women + other.seconds_women,
            self.seconds_men + other.seconds_men,
            self.seconds_uncertain + other.seconds_uncertain,
            self.videos + other.videos,
        )

    def sentence(self) -> str:
        """Return the counts as one line for people."""
        parts = [
            self._what_was_found(),
            _count(self.women, "woman", "women"),
            _count(self.men, "man", "men"),
            f"{self.uncertain:,} uncertain",
            f"{self.no_face:,} without a face",
            f"{self.failed:,} failed",
        ]
        return ", ".join(parts) + self._screen_sentence()

    def _what_was_found(self) -> str:
        """Photos, videos, and their faces; of videos alone these are tracks."""
        photos = self.photos - self.videos
        if not self.videos:
            return f"{_count(photos, 'photo')}: {_count(self.faces, 'face')}"
        videos = _count(self.videos, "video")
        if not photos:
            return f"{videos}: {_count(self.faces, 'track')}"
        return f"{_count(photos, 'photo')} and {videos}: {_count(self.faces, 'face')}"

    def _screen_sentence(self) -> str:
        screen = self.screen_time
        if not screen.seconds:
            return ""
        share = screen.share_female
        women = "" if share is None else f" ({100 * share:.1f} % of the sure)"
        return (
            f"; screen time: women {clock(screen.female)}{women}, men {clock(screen.male)}, "
            f"uncertain {clock(screen.uncertain)}"
        )


def tally_of(prediction: Answer) -> Tally:
    """Count one photo's answer; of a video that breaks off, what was read counts too."""
    failed, video = prediction.error is not None, isinstance(prediction, VideoPrediction)
    if failed and not (video and prediction.faces):
        return Tally(photos=1, failed=1, videos=int(video))
    uncertain = sum(face.uncertain for face in prediction.faces)
    women, men = (
        sum(face.name == name and not face.uncertain for face in prediction.faces)
        for name in LABELS
    )
    screen = prediction.screen_time if isinstance(prediction, VideoPrediction) else ScreenTime()
    return Tally(
        *(1, women, men, uncertain, int(not prediction.faces), int(failed)),
        *(screen.female, screen.male, screen.uncertain, int(video)),
    )


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    return sum(tallies, Tally())


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
