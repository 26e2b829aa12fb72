"""What `--help` shows, and older spellings that it does not show but that still work."""

import re

import pytest
import typer

from facegender.cli import app
from facegender.cli._command import OLDER_SPELLINGS

COMMANDS = typer.main.get_command(app).commands


def test_commands_come_in_the_order_that_people_need(run):
    assert list(COMMANDS)[:4] == ["predict", "train", "eval", "prepare"]
    out, _ = run("--help")
    listed = re.findall(r"^│ (\w+) ", out, re.MULTILINE)
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_flags_show_no_type(run, command):
    out, _ = run(*command.split(), "--help")
    assert "bool" not in out
    assert "--debug" in out


def test_train_shows_ten_options_first(run):
    out, _ = run("train", "--help")
    first, *panels = re.split(r"^╭─ ", out[out.index("╭─ Options") :], flags=re.MULTILINE)[1:]
    shown = re.findall(r"^│ (--[\w-]+)", first, re.MULTILINE)
    assert len(shown) == 11
    assert shown[-1] == "--help"
    assert [panel.split()[0] for panel in panels] == ["Recipe", "Hardware", "Other"]


def test_the_short_version(run):
    assert run("-V") == run("--version")


@pytest.mark.parametrize("command", OLDER_SPELLINGS)
def test_older_spellings_are_hidden(run, command):
    out, _ = run(command, "--help")
    for older, option in OLDER_SPELLINGS[command].items():
        assert not re.search(rf"{older}\b(?!-)", out.replace(option, ""))
        assert option in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", ".", "--out", "no/faces.csv"], "--output no/faces.csv"),
        (["prepare", ".", "--out=no/faces.csv"], "--output no/faces.csv"),
        (["prepare", ".", "--crop", "pyvenv", "--align", "eyes"], "--align needs a --size"),
        (["train", "--crop", "nonsense"], "unknown --crop-kind 'nonsense'"),
        (["export", "-f", "litert", "--out", "no/gender"], "--output no/gender"),
    ],
)
def test_older_spellings_work(run, arguments, said):
    _, err = run(*arguments, code=2)
    assert said in err


def test_commands_that_write_one_thing_have_output():
    for command in ("predict", "train", "eval", "prepare", "explain", "export"):
        names = [name for option in COMMANDS[command].params for name in option.opts]
        assert {"--output", "-o"} <= set(names), command
