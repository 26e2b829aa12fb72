"""The command line as a process, or in this one where TensorFlow would take most of the time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

AS_INSTALLED = ("-m", "facegender")
WITH_TINY = ("-c", "import tests.tiny_network; from facegender.__main__ import main; main()")
"""The same command, except that it knows a network which trains in seconds."""


def environment(**more):
    """Warnings of our own are errors, and the tests can be imported."""
    ours = {"PYTHONWARNINGS": "error::DeprecationWarning:facegender"}
    return os.environ | ours | {"PYTHONPATH": str(Path(__file__).parents[2])} | more


@pytest.fixture
def run(in_tmp):
    def run(*args, code=0, stdin=None, program=AS_INSTALLED, **env):
        done = subprocess.run(
            [sys.executable, *program, *map(str, args)],
            input=stdin,
            capture_output=True,
            env=environment(**env),
        )
        out, err = (
            stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr)
        )
        assert done.returncode == code, f"exit {done.returncode}\n{out}\n{err}"
        if code != 1:
            assert "Traceback" not in err
        return out, err

    return run


@pytest.fixture
def run_here(in_tmp, monkeypatch, capfd):
    """As `run`, in this process: for what imports TensorFlow, which takes seconds in a new one."""
    from facegender.cli import main
    from facegender.runtime.signals import SIGNALS

    def run(*args, code=0, **env):
        monkeypatch.setattr(sys, "argv", ["facegender", *map(str, args)])
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        handlers = [(number, signal.getsignal(number)) for number in SIGNALS]
        hook = sys.unraisablehook
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as left:
                main()
        finally:
            sys.unraisablehook = hook
            for number, handler in handlers:
                signal.signal(number, handler)
        out, err = capfd.readouterr()
        for name in env:
            monkeypatch.delenv(name)
        assert (left.value.code or 0) == code, f"exit {left.value.code}\n{out}\n{err}"
        if code != 1:
            assert "Traceback" not in err
        return out, err

    return run
