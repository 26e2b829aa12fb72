"""The README and the guides: their length, figures, links, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegender.models.bundle import load_bundle
from facegender.models.default_model import BUNDLED

VAL = "FairFace validation photos 1 to 5,000 of 10,954"
ADULT = f"{VAL}, ages 10 and over"
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ENDS_A_COMMAND = {"|", "||", "&&", ">", ";", "#"}


@pytest.fixture(scope="module")
def readme(repo):
    return (repo / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def recorded():
    return {found["title"]: found for found in load_bundle(BUNDLED).manifest["evaluations"]}


@pytest.fixture(scope="module")
def pages(repo):
    """Path -> text of the README, the guides and the other pages that people read."""
    paths = [
        *repo.glob("*.md"),
        *repo.glob("examples/*.md"),
        repo / "tests" / "benchmarks" / "README.md",
    ]
    return {path: path.read_text("utf-8") for path in paths}


# Its figures are those of the bundled model's card.


def row(photos: int, share: dict[str, float]) -> str:
    """The last cells of a row of the README's table."""
    value, low, high = (100 * share[key] for key in ("value", "low", "high"))
    return f"| {photos:,} | {value:.1f} % | {low:.1f} to {high:.1f} |"


def row_of(readme: str, start: str) -> str:
    (line,) = (line for line in readme.splitlines() if line.startswith(f"| {start}"))
    return line


def test_it_is_short(readme):
    assert len(readme.split()) <= 1200


def test_accuracy_of_all_and_of_grown_people(readme, recorded):
    for start, title in (("all ages |", VAL), ("ages 10 and over |", ADULT)):
        found = recorded[title]
        assert row_of(readme, start).endswith(
            row(found["data"]["photos"], found["metrics"]["accuracy"])
        )


def test_accuracy_of_children(readme, recorded):
    ages = recorded[VAL]["groups"]["age"]
    for start, age in (("ages 0 to 2 |", "0-2"), ("ages 3 to 9 |", "3-9")):
        assert row_of(readme, start).endswith(row(ages[age]["photos"], ages[age]["accuracy"]))


def test_the_worst_group_is_the_worst(readme, recorded):
    groups = recorded[ADULT]["groups"]["race,gender"]
    name, worst = min(groups.items(), key=lambda group: group[1]["accuracy"]["value"])
    race, gender = name.split(", ")
    line = row_of(readme, f"the worst of {len(groups)} groups")
    assert f": {race} {'wo' * (gender == 'female')}men |" in line
    assert line.endswith(row(worst["photos"], worst["accuracy"]))


# Links lead somewhere.


def headings(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    lines = FENCE.sub("", text).splitlines()
    titles = (line.lstrip("#").strip() for line in lines if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_exists(pages, repo):
    found = 0
    for page, text in pages.items():
        for match in LINK.finditer(FENCE.sub("", text)):
            link = match[1] or match[2]
            if link.startswith(("https://", "http://")):
                continue
            found += 1
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.is_relative_to(repo.resolve()), (page.name, link)
            if target.suffix != ".jpg":  # no picture is in the source archive
                assert target.exists(), (page.name, link)
            elif (repo / ".git").exists():
                assert target.is_file(), (page.name, link)
            if anchor:
                assert anchor in headings(target.read_text("utf-8")), (page.name, link)
    assert found > 20


def test_every_guide_is_linked(readme, repo):
    for guide in repo.glob("examples/*.md"):
        assert f"](examples/{guide.name})" in readme


# Commands that are shown parse.


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each `facegender` command in a page's blocks, indented lines and spans."""
    blocks = "\n".join(FENCE.findall(text))
    indented = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    spans = "\n".join(
        span.replace("\n", " ") for span in re.findall(r"`(facegender [^`]+)`", FENCE.sub("", text))
    )
    for line in "\n".join((blocks, indented, spans)).replace("\\\n", " ").splitlines():
        yield from commands_of(line)


def commands_of(line: str) -> Iterator[list[str]]:
    """Yield the words of each `facegender` command in a line for the shell."""
    if not re.search(r"(^|[\s/])facegender ", line):
        return
    try:
        words = shlex.split(line.replace("…", "X"), comments=True)
    except ValueError:  # no line for a shell
        return
    starts = [
        i
        for i, word in enumerate(words)
        if Path(word).name == "facegender"
        and (i == 0 or words[i - 1] in ENDS_A_COMMAND or "=" in words[i - 1])
    ]
    for start in starts:
        rest = words[start + 1 :]
        end = next((i for i, word in enumerate(rest) if word in ENDS_A_COMMAND), len(rest))
        yield rest[:end]


@pytest.fixture(scope="module")
def command_line():
    from typer.main import get_command

    from facegender.cli import app

    return get_command(app)


def unknown_in(words: list[str], command_line) -> str:
    """Return what facegender does not accept of a command, or ""; older spellings are not."""
    if not words or words[0].startswith("--"):
        return (
            ""
            if words in (["--install-completion"], ["--show-completion"], ["--help"], ["--version"])
            else f"{words}"
        )
    command = command_line.commands.get(words[0])
    if command is None:
        return f"no command {words[0]}"
    context = command.context_class(command, info_name=words[0])
    parser = command.make_parser(context)
    try:
        parser.parse_args(args=words[1:])
    except Exception as error:  # noqa: BLE001 - Typer brings its own copy of Click's errors
        return str(error)
    shown = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return " ".join(w for w in words[1:] if w.startswith("--") and w.split("=")[0] not in shown)


def test_every_command_shown_parses(pages, command_line, repo):
    shown = [
        (page.name, words)
        for page, text in pages.items()
        if page.name not in ("CHANGELOG.md", "CONTRIBUTING.md")
        for words in commands(text)
    ]
    for script in repo.glob("examples/*.sh"):
        for line in script.read_text("utf-8").replace("\\\n", " ").splitlines():
            shown += [(script.name, words) for words in commands_of(line)]
    assert len(shown) > 40
    wrong = {
        (page, *words): what for page, words in shown if (what := unknown_in(words, command_line))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        "facegender predict a.jpg --nonsense",
        "facegender predicts a.jpg",
        "facegender train --epochs",
        "X=1 facegender export --fromat onnx",
        "facegender train --out older_spelling",
    ],
)
def test_a_wrong_command_is_noticed(line, command_line):
    (words,) = commands_of(line)
    assert unknown_in(words, command_line)
