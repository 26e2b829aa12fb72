"""Damaged photos through `photo.py`, in processes that are watched.

    python -m tests.faults.fuzz_photos --count 20000

Prints for every format how many were decoded, how many refused and why, the slowest, the largest
memory, and everything that must not happen: crashes, time-outs, other errors, words on stderr.
A number reproduces its file: ``--only 4711 --write FILE``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ADDRESS_SPACE = 3 << 30
"""Bytes that a process may map; what is needed beyond must end in a `PhotoError`."""
SECONDS = 30.0
"""A file that takes longer is a fault."""
_MODULE = "tests.faults.fuzz_photos"


@dataclass
class Tally:
    """What became of the files of one format."""

    decoded: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    largest: tuple[int, int] = (0, -1)


@dataclass
class Outcome:
    """Tallies by format, and faults by kind: (number, words)."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    faults: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int, result: dict[str, Any]) -> None:
        """Count what a process said of a file."""
        tally = self.tallies[result["kind"]]
        if result["fault"]:
            self.faults["another error"].append((number, result["fault"]))
        elif result["reason"]:
            tally.refused[result["reason"]] += 1
        else:
            tally.decoded += 1
        if result["noise"]:
            self.faults["words on stderr"].append((number, result["noise"]))
        tally.slowest = max(tally.slowest, (result["seconds"], number))
        tally.largest = max(tally.largest, (result["memory"], number))


def fuzz(numbers: range, *, only: str = "", seconds: float = SECONDS) -> Outcome:
    """Decode the damaged files of these numbers in a watched process, renewed when it dies.

    Args:
        numbers: each stands for a file.
        only: the one format that is damaged, "" for all of them in turn.
        seconds: most time that one file may take.
    """
    outcome = Outcome()
    left = list(numbers)
    while left:
        done = _watch(left, outcome, only, seconds)
        left = left[done:]
    return outcome


def _watch(numbers: list[int], outcome: Outcome, only: str, seconds: float) -> int:
    """Run one process until it ends; return how many files it is rid of."""
    with tempfile.TemporaryFile() as words:
        step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
        span = f"{numbers[0]}:{numbers[-1] + 1}:{step}"
        command = [sys.executable, "-X", "faulthandler", "-m", _MODULE, "--child", span]
        command += ["--format", only]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words)
        done = 0
        try:
            for line in _lines(child, seconds):
                result = json.loads(line)
                outcome.add(numbers[done], result)
                done += 1
        except TimeoutError:
            child.kill()
            child.wait()
            outcome.faults["too slow"].append((numbers[done], f"more than {seconds:g} s"))
            return done + 1
        finally:
            child.stdout.close()
        code = child.wait()
        if done == len(numbers) and code == 0:
            return done
        words.seek(0)
        said = words.read()[-2000:].decode("utf-8", "replace")
        outcome.faults["crash"].append((numbers[done], f"exit {code}: {said}"))
        return done + 1


def _lines(child: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """Lines of a process as they come; the first may take longer, since it starts up.

    Raises:
        TimeoutError: the next took too long.
    """
    assert child.stdout is not None
    rest, patience = b"", seconds + 60
    while True:
        ready, _, _ = select.select([child.stdout], [], [], patience)
        if not ready:
            raise TimeoutError
        chunk = os.read(child.stdout.fileno(), 1 << 16)
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        patience = seconds


def _child(span: range, only: str) -> None:
    """Decode the files of these numbers and say a line of JSON about each."""
    from tests.faults.mutations import mutated

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    originals = seeds_of(only)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    heard = os.fstat(2).st_size
    for number in span:
        kind, data = mutated(number, originals)
        result = _decode(data) | {"kind": kind, "noise": ""}
        length = os.fstat(2).st_size
        if length > heard:
            result["noise"] = os.pread(2, 500, heard).decode("utf-8", "replace")
            heard = length
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


def seeds_of(only: str) -> dict[str, list[bytes]]:
    """The whole files of one format, or of all."""
    from tests.faults.seeds import seeds

    return {kind: files for kind, files in seeds().items() if only in ("", kind)}


def _decode(data: bytes) -> dict[str, Any]:
    """Decode and check a file as `predict` and `prepare` do."""
    import numpy as np

    from facegender.errors import PhotoError
    from facegender.images.decode import check_photo, decode_photo

    _forget_peak()
    start, reason, fault = time.process_time(), "", ""
    for use in (
        decode_photo,
        check_photo,
        lambda data: decode_photo(data, at_least=lambda _size: (64, 64)),
    ):
        try:
            photo = use(data)
            if use is decode_photo:
                pixels = photo.pixels
                assert pixels.dtype == np.uint8
                assert pixels.shape == (*photo.size[::-1], 3)
                assert min(photo.size) >= 16
                del pixels
            del photo
        except PhotoError as error:
            reason = reason or error.reason
            if "\n" in error.message or len(error.message) > 300:
                fault = f"long message: {error.message!r}"
        except Exception as error:  # noqa: BLE001 - any other error is what is looked for
            fault = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    return {"reason": reason, "fault": fault, "seconds": seconds, "memory": _peak()}


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Largest resident memory since `_forget_peak`, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0


def report(outcome: Outcome, out: IO[str]) -> None:
    """Print the counts as a table, then the faults."""
    reasons = sorted({r for tally in outcome.tallies.values() for r in tally.refused})
    head = ["format", "files", "decoded", *reasons, "slowest, s (number)", "memory, MiB (number)"]
    rows = []
    for kind, tally in sorted(outcome.tallies.items()):
        files = tally.decoded + tally.refused.total()
        counts = [str(tally.refused[reason]) for reason in reasons]
        slow, large = tally.slowest, tally.largest
        times = [f"{slow[0]:.2f} ({slow[1]})", f"{large[0] >> 20} ({large[1]})"]
        rows.append([kind, str(files), str(tally.decoded), *counts, *times])
    out.write("| " + " | ".join(head) + " |\n| " + " | ".join("---" for _ in head) + " |\n")
    out.writelines("| " + " | ".join(row) + " |\n" for row in rows)
    for what in ("crash", "too slow", "another error", "words on stderr"):
        found = outcome.faults.get(what, [])
        out.write(f"{what}: {len(found)}\n")
        out.writelines(f"  {number}: {' '.join(words.split())[:400]}\n" for number, words in found)


def main() -> None:
    """Parse, run, print; exit 1 where something happened that must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit of one file")
    parser.add_argument("--format", default="", help="damage files of this format alone")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--only", type=int, help="one number: print what becomes of it")
    parser.add_argument("--write", type=Path, help="with --only: write its file")
    chosen = parser.parse_args()
    if chosen.child:
        _child(range(*map(int, chosen.child.split(":"))), chosen.format)
        return
    if chosen.only is not None:
        from tests.faults.mutations import mutated

        kind, data = mutated(chosen.only, seeds_of(chosen.format))
        if chosen.write:
            chosen.write.write_bytes(data)
        print(kind, f"{len(data):,} bytes", _decode(data))
        return
    numbers = range(chosen.start, chosen.start + chosen.count)
    outcome = fuzz(numbers, only=chosen.format, seconds=chosen.seconds)
    report(outcome, sys.stdout)
    sys.exit(1 if any(outcome.faults.values()) else 0)


if __name__ == "__main__":
    main()
