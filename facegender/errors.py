"""Errors that a user can act on: what is wrong, what was received, what to do next."""

from __future__ import annotations


class FaceGenderError(Exception):
    """Base of every error that facegender raises on purpose.

    Args:
        message: what is wrong and what was received, as one sentence.
        hint: what the user can do next, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message and the hint."""
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type[FaceGenderError], tuple[str, str]]:
        """Pickle with both arguments, so that errors cross process borders whole."""
        return type(self), (self.message, self.hint)


def schema_hint(found: object, known: int, again: str) -> str:
    """Say what to do about a file whose schema is not the one that this facegender reads.

    Args:
        found: the schema in the file.
        known: the one that is read.
        again: how to make the file anew, as a sentence.
    """
    if type(found) is not int:
        return again
    if found > known:
        return f"A newer facegender wrote it: update facegender, or: {again[:1].lower()}{again[1:]}"
    return f"An older facegender wrote it. {again}"


class UsageError(FaceGenderError):
    """Options that contradict each other or have no meaning."""


class DataError(FaceGenderError):
    """A folder tree, label file or faces.csv that cannot be used."""


class BundleError(FaceGenderError):
    """A model folder that is missing, damaged, foreign or does not fit."""


class StoreError(FaceGenderError):
    """Object storage that does not answer or refuses; that says nothing of the photo asked for."""


class Interrupted(BaseException):
    """Work stopped by a signal after everything worth keeping was saved.

    Like `KeyboardInterrupt` it is not an `Exception`: code that catches any error of a decoder
    must not catch it.

    Args:
        message: what was saved.
        hint: how to go on.
        signal_number: the signal that asked for the stop.
    """

    def __init__(self, message: str, hint: str = "", signal_number: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.signal_number = signal_number


class PhotoError(FaceGenderError):
    """A photo that cannot be used.

    Args:
        reason: a short fixed word for tables and CSV, one of `PhotoError.REASONS`.
        message: the sentence for people.
    """

    REASONS = (
        "missing",
        "unreachable",
        "refused",
        "unreadable",
        "not a file",
        "empty",
        "not a photo",
        "truncated",
        "too large",
        "too small",
        "another size",
    )

    def __init__(self, reason: str, message: str) -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown photo error reason: {reason!r}")
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str]]:
        return type(self), (self.reason, self.message)


class VideoError(FaceGenderError):
    """A video that cannot be used, or of which a part cannot be read."""

    MISSING = "no such file"
