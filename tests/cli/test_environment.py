"""What variables of the environment change: options, and colours."""

import json
import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command

from facegender.cli import app
from tests.conftest import encoded, pattern

ESCAPE = "\x1b["


@pytest.fixture
def photo(in_tmp):
    (in_tmp / "a.png").write_bytes(encoded(pattern(0, 0), "PNG"))
    return "a.png"


def test_variables_stand_in_for_options(run_here, photo, toy_model):
    options = ("predict", photo, "--json", "--model", toy_model)
    for code, shown in (("1", False), ("0", True), ("", True)):
        _, err = run_here(*options, FACEGENDER_QUIET=code)
        assert ("Model:" in err) == shown
    threshold = {"FACEGENDER_THRESHOLD": "0.9"}
    assert json.loads(run_here(*options, **threshold)[0])["threshold"] == 0.9
    assert json.loads(run_here(*options, "--threshold", "0.6", **threshold)[0])["threshold"] == 0.6
    assert json.loads(run_here(*options, FACEGENDER_THRESHOLD="")[0])["threshold"] == 0.7


def test_debug_shows_the_traceback_unless_it_is_switched_off(run, in_tmp):
    for value, shown in (("1", True), ("true", True), ("0", False), ("", False)):
        _, err = run("train", FACEGENDER_DEBUG=value, code=1)
        assert ("Traceback" in err) == shown
    assert "Traceback" in run("--debug", "train", code=1)[1]
    assert "Traceback" in run("train", "--debug", FACEGENDER_DEBUG="0", code=1)[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACEGENDER_WORKERS", "many"),
        ("FACEGENDER_WORKERS", "0"),
        ("FACEGENDER_THRESHOLD", "0.2"),
        ("FACEGENDER_THRESHOLD", "nan"),
        ("FACEGENDER_QUIET", "perhaps"),
        ("FACEGENDER_DEBUG", "perhaps"),
    ],
)
def test_a_bad_value_names_its_variable(run_here, photo, name, value):
    _, err = run_here("predict", photo, **{name: value}, code=2)
    assert name in err


def test_help_names_the_variables(run):
    out, _ = run("predict", "--help")
    for name in ("WORKERS", "QUIET", "THRESHOLD", "DEBUG", "MODEL"):
        assert f"FACEGENDER_{name}" in out


def test_the_number_of_workers_is_the_variables(run, in_tmp):
    for i in range(40):
        (in_tmp / f"{i}.png").write_bytes(encoded(pattern(0, i), "PNG"))
    code = (
        "import facegender.runtime.parallel as parallel, sys\n"
        "parallel._pool = lambda workers: sys.exit(f'a pool of {workers}')\n"
        "sys.argv = ['facegender', 'predict', '.', '-q']\n"
        "from facegender.cli import main; main()"
    )
    for workers, said in (("3", "a pool of 3"), ("1", "")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"FACEGENDER_WORKERS": workers},
            capture_output=True,
            text=True,
        )
        assert done.stderr.strip() == said


def test_the_guide_names_all_commands_that_take_workers(repo):
    (row,) = (
        line
        for line in (repo / "examples" / "commands.md").read_text("utf-8").splitlines()
        if line.startswith("| `FACEGENDER_WORKERS`")
    )
    taking = {
        name
        for name, command in get_command(app).commands.items()
        for option in command.params
        if option.envvar == "FACEGENDER_WORKERS"
    }
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == taking


def test_colours_are_as_asked_for(run, photo, toy_model):
    options = ("predict", photo, "--model", toy_model)

    def printed(**env):
        out, err = run(*options, **env)
        return out + err

    assert ESCAPE not in printed(), "a pipe gets none"
    assert ESCAPE in printed(FORCE_COLOR="1")
    assert ESCAPE not in printed(FORCE_COLOR="1", TERM="dumb")
    assert f"{ESCAPE}3" not in printed(FORCE_COLOR="1", NO_COLOR="1"), "no colour, bold may be"
    failing = ("info", "nowhere")
    assert f"{ESCAPE}1;31m" in run(*failing, FORCE_COLOR="1", code=1)[1]
    assert f"{ESCAPE}1m" in run(*failing, FORCE_COLOR="1", NO_COLOR="1", code=1)[1]


def test_forced_colours_spare_files_contracts_and_bars(run, photo, toy_model):
    options = ("predict", photo, "--model", toy_model)
    _, err = run(*options, "--output", "table.txt", FORCE_COLOR="1")
    assert ESCAPE not in open("table.txt").read()
    assert "Predicting" not in err, "a pipe is no terminal, whatever its colours"
    for format in ("--json", "--jsonl", "--csv"):
        assert ESCAPE not in run(*options, format, FORCE_COLOR="1")[0]
    plain = run(*options)[0]
    assert run(*options, FORCE_COLOR="1", TERM="dumb")[0] == plain


def test_a_dumb_terminal_gets_no_bar(photo, toy_model):
    import contextlib
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "facegender", "predict", photo, "--csv"]
    process = subprocess.Popen(
        [*command, "--model", str(toy_model)],
        stdout=subprocess.DEVNULL,
        stderr=child,
        env=os.environ | {"TERM": "dumb"},
    )
    os.close(child)
    seen = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(parent, 65536):
            seen += chunk
    assert process.wait() == 0
    assert b"Model:" in seen
    assert b"\x1b" not in seen
    assert b"Predicting" not in seen
