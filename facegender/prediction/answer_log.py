"""A growing file of answers, and the log beside it that lets an interrupted run resume.

Answers are appended in groups, and a group is logged only after it was written: path, size and time
of each photo, its counts, and the end of its answer. A killed run therefore loses at most its last
group. The next run with the same options truncates what is not logged and predicts only the missing
photos.

Each answer is written by itself. The kernel may cut a write where a page of memory ends if the
process is killed at that moment, so that of a group written at once half a line would often be
left; so it is one line in ten that a kill could cut, within microseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from facegender.errors import DataError, FaceGenderError, UsageError
from facegender.prediction.answer_facts import differences
from facegender.prediction.tally import Tally
from facegender.runtime.files import cannot_write, encoded, lock_target

GROUP: Final = 64
"""Maximum number of answers in a group."""
SECONDS: Final = 1.0
"""Seconds after which a group is written, however small."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A photo that was answered before: its path as it was named, and the counts of its answer."""

    path: str
    tally: Tally


class AnswerLog:
    """The open file of answers and its log; see `open_answers`."""

    def __init__(self, output: Path, answers: BinaryIO, log: BinaryIO) -> None:
        self.output = output
        self.before: list[Answered] = []
        self._stats: dict[int, int] = {}
        self._answers, self._log = answers, log
        self._end = 0
        self._waiting: list[tuple[str, str, Tally]] = []
        self._last = time.monotonic()

    def is_answered(self, path: str) -> bool:
        """Tell whether a photo has an answer from an earlier run.

        Raises:
            DataError: it has one, but the photo changed since.
        """
        known = self._stats.get(_digest(path))
        if known is None:
            return False
        if known != _digest(repr(_stat(path))):
            raise DataError(
                f"{path} changed since {self.output} was begun",
                "Start over with --force, or write the answers to another file.",
            )
        return True

    def add(self, path: str, text: str, tally: Tally) -> None:
        """Add the answer to a photo, "" if none is to be written; it is written with its group."""
        self._waiting.append((path, text, tally))
        if len(self._waiting) >= GROUP or time.monotonic() - self._last >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write all answers to disk, then log them.

        Raises:
            FaceGenderError: the disk is full or gone.
        """
        waiting, self._waiting, self._last = self._waiting, [], time.monotonic()
        if not waiting:
            return
        lines = []
        for path, text, tally in waiting:
            self._end += len(encoded(text))
            lines.append(json.dumps([path, _stat(path), self._end, astuple(tally)]))
        for _, text, _ in waiting:
            self._append(self._answers, text)
        self._append(self._log, "\n".join(lines) + "\n")

    def _append(self, file: BinaryIO, text: str) -> None:
        try:
            rest = memoryview(encoded(text))
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise cannot_write(self.output, error) from error

    def _begin(self, facts: Mapping[str, Any], head: str) -> None:
        self._end = len(encoded(head))
        self._append(self._answers, head)
        self._append(self._log, json.dumps(dict(facts) | {"end": self._end}) + "\n")

    def _has_begun(self, head: str) -> bool:
        """Tell whether the log has its first line; without, both files are emptied.

        Raises:
            DataError: without, and the answers are more than a beginning.
        """
        if self._log.readline().endswith(b"\n"):
            self._log.seek(0)
            return True
        begun = encoded(head)
        if not begun.startswith(self._answers.read(len(begun) + 1)):
            raise _unknown(self.output, "empty")
        for file in (self._answers, self._log):
            file.seek(0)
            file.truncate()
        return False

    def _go_on(self, facts: Mapping[str, Any]) -> None:
        """Read the log, cut off what it does not know, and go on after that."""
        known, logged = _read_log(self.output, self._log)
        _refuse_other(self.output, known, facts)
        self._end = int(known["end"])
        there, kept = self._answers.seek(0, os.SEEK_END), 0
        for size, entry in logged:
            path, stat, end, tally = entry
            if end > there:
                break
            self._end, kept = end, size
            self._stats[_digest(path)] = _digest(repr(_tupled(stat)))
            self.before.append(Answered(path, Tally(*tally)))
        self._answers.truncate(self._end)
        self._answers.seek(0, os.SEEK_END)
        if kept:
            self._log.truncate(kept)
        self._log.seek(0, os.SEEK_END)


@contextmanager
def open_answers(
    output: Path, facts: Mapping[str, Any], head: str, *, resume: bool, force: bool
) -> Iterator[AnswerLog]:
    """Open a file of answers that grows; what was added is on disk when the block ends, however.

    Args:
        output: the file; the log lies beside it, hidden.
        facts: what must be the same for answers to stand in one file, JSON types only.
        head: text that begins the file.
        resume: go on where an earlier run stopped; without one, or where it could not begin, begin.
        force: begin again over an unfinished run.

    Raises:
        UsageError: an unfinished run is there and neither `resume` nor `force` is given, or it
            had other facts.
        DataError: `resume`, but nothing tells how the file was made.
        FaceGenderError: another run writes it, or it cannot be written.
    """
    log = log_of(output)
    if not output.parent.is_dir():  # the lock would make it
        raise FaceGenderError(f"cannot write {output}: there is no such folder", "Make it first.")
    with lock_target(output, "predict"):
        going_on = resume and output.exists()
        if going_on and not log.exists():
            raise _unknown(output, "missing")
        if log.exists() and output.exists() and not (resume or force):
            _refuse_unfinished(output, log)
        try:
            answers = output.open("r+b" if going_on else "wb", buffering=0)
        except OSError as error:
            raise cannot_write(output, error) from error
        with answers:
            try:
                logged = log.open("r+b" if going_on else "wb", buffering=0)
            except OSError as error:
                raise cannot_write(log, error) from error
            with logged:
                found = AnswerLog(output, answers, logged)
                if going_on and found._has_begun(head):
                    found._go_on(facts)
                else:
                    found._begin(facts, head)
                try:
                    yield found
                finally:
                    found.flush()
                found._append(logged, json.dumps({"complete": True}) + "\n")


def log_of(output: Path) -> Path:
    """Return the path of the log of a file of answers."""
    return output.with_name(f".{output.name}.facegender-log")


def _unknown(output: Path, how: str) -> DataError:
    return DataError(
        f"nothing tells how {output} was made, so it cannot be resumed",
        f"Begin again with --force, or write to another file; {log_of(output).name} is {how}.",
    )


def _read_log(output: Path, log: BinaryIO) -> tuple[dict[str, Any], list[tuple[int, Any]]]:
    """Return the facts, and each entry with the log's size up to it; a torn last line is cut."""
    data = b"".join(iter(lambda: log.read(1 << 20), b""))
    lines = data.split(b"\n")[:-1]
    try:
        facts = json.loads(lines[0])
        size, entries = len(lines[0]) + 1, []
        for line in lines[1:]:
            size += len(line) + 1
            entry = json.loads(line)
            if isinstance(entry, list):
                entries.append((size, entry))
        if not isinstance(facts, dict) or "end" not in facts:
            raise ValueError("no facts")
    except (ValueError, IndexError) as error:
        raise DataError(
            f"the log of {output} is damaged: {error}", "Start over with --force."
        ) from None
    return facts, entries


def _refuse_other(output: Path, known: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    different = differences(known, facts)
    if different:
        raise UsageError(
            f"{output} was begun {'; '.join(different)}",
            "Give the same options, write to another file, or start over with --force.",
        )


def _refuse_unfinished(output: Path, log: Path) -> None:
    """Refuse to lose the answers of a run that did not end."""
    try:
        data = log.read_bytes()
    except OSError:
        return
    answered = data.count(b"\n") - 1
    if answered > 0 and not data.endswith(b'{"complete": true}\n'):
        raise UsageError(
            f"{output} has {answered:,} answers of an unfinished run",
            "Continue with --resume, or start over with --force.",
        )


def _stat(path: str) -> tuple[int, int] | None:
    """Size and time of a photo, None where there is no such file (stdin, an address)."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def _tupled(stat: Any) -> tuple[int, int] | None:
    return None if stat is None else (int(stat[0]), int(stat[1]))


def _digest(text: str) -> int:
    """A number of 8 bytes: a million paths as text would take hundreds of megabytes."""
    data = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
