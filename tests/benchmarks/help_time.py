"""How long does `--help` take, against a bare Typer app with as many commands and options?

    python tests/benchmarks/help_time.py [--rounds 15]

Times whole processes in turn and prints the ratio for the app and for each command.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from facegender.cli import app


def bare_source() -> str:
    """A Typer app of the same shape: commands, parameters and their help texts, and no code."""
    lines = ["from typing import Annotated", "import typer", "app = typer.Typer()"]
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        parameters = [
            f"    p{i}: Annotated[str, typer.Option(help={(p.help or '')!r})] = 'x',"
            for i, p in enumerate(command.params)
        ]
        head = [f"@app.command({name!r})", f"def {name}_command("]
        lines += [*head, *parameters, ") -> None:", f"    {(command.help or '')!r}"]
    return "\n".join([*lines, "app()", ""])


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.py"
        script.write_text(bare_source())
        for arguments in ([], ["prepare"], ["train"], ["eval"], ["predict"]):
            ours = [sys.executable, "-m", "facegender", *arguments, "--help"]
            bare = [sys.executable, str(script), *arguments, "--help"]
            seconds(ours), seconds(bare)
            pairs = [(seconds(ours), seconds(bare)) for _ in range(options.rounds)]
            ratio = statistics.median(a / b for a, b in pairs)
            mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(
                f"{' '.join(['facegender', *arguments, '--help']):28} {1000 * mine:5.0f} ms, "
                f"bare {1000 * theirs:5.0f} ms, ratio {ratio:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
