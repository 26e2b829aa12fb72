"""The command line as a process."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(in_tmp):
    def run(*args, code=0, stdin=None, **env):
        done = subprocess.run(
            [sys.executable, "-m", "facegender", *map(str, args)],
            input=stdin,
            capture_output=True,
            env=os.environ | {"PYTHONWARNINGS": "error::DeprecationWarning:facegender"} | env,
        )
        out, err = (
            stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr)
        )
        assert done.returncode == code, f"exit {done.returncode}\n{out}\n{err}"
        if code != 1:
            assert "Traceback" not in err
        return out, err

    return run
