"""Shell completion: what the shells' scripts call, and what they get."""

import os
import subprocess
import sys

import pytest

from facegender.choices import Alignment
from facegender.cli import _completion as completion

PROGRAM = (
    "import sys; sys.argv[0] = 'facegender'\n"
    "from facegender.cli import main\n"
    "try: main()\n"
    "except SystemExit: pass\n"
    "print(sorted({'tensorflow', 'keras', 'numpy', 'PIL'} & set(sys.modules)), file=sys.stderr)"
)


def call(*args, **env):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        env=os.environ | env,
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == "[]", "completing imports nothing heavy"
    return done.stdout


def offered(line, **env):
    """What bash is offered where the cursor stands at the end of a line."""
    words = line.split(" ")
    count = str(len(words) - 1)
    env = {"COMP_WORDS": line, "COMP_CWORD": count, "_FACEGENDER_COMPLETE": "complete_bash"} | env
    return call(**env).split()


@pytest.fixture
def table(in_tmp):
    (in_tmp / "faces.csv").write_text("path,label,person,split,age,Race\na.jpg,0,x,test,20-29,W\n")
    (in_tmp / "other.csv").write_text("\ufeffFile;gender;city\na.jpg;0;x\n")
    (in_tmp / "headless.csv").write_text("a.jpg,0\nb.jpg,1\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("facegender pre", ["predict", "prepare"]),
        ("facegender train --arc", ["--arch"]),
        ("facegender train --arch c", ["compact", "classic"]),
        ("facegender train --crop-kind ", ["box", "eyes", "photo"]),
        ("facegender train --schedule co", ["cosine", "constant"]),
        ("facegender train --init n", ["none"]),
        ("facegender prepare photos --split a", ["auto", "article"]),
        ("facegender prepare photos --crops faces --align ", ["eyes", "box"]),
        ("facegender prepare photos --faces s", ["single"]),
        ("facegender prepare photos --format j", ["jpeg"]),
        ("facegender train --on-change ", ["refuse", "skip"]),
        ("facegender train --precision m", ["mixed"]),
        ("facegender export --format o", ["onnx"]),
        ("facegender predict --engine ", ["plain", "ray"]),
        ("facegender eval --split t", ["test", "train"]),
        ("facegender count a.jsonl --by ", ["folder", "year"]),
        ("facegender count --attributes faces.csv --by age,R", ["age,Race"]),
        ("facegender eval --by ", ["gender", "person", "split", "age", "Race"]),
        ("facegender eval --by age,", ["age,gender", "age,person", "age,split", "age,Race"]),
        ("facegender eval --where a", ["age"]),
        ("facegender eval other.csv --model m --by c", ["city"]),
        ("facegender eval other.csv --by gender --by ", ["gender", "city"]),
        ("facegender eval headless.csv --by ", ["gender", "person", "split", "age", "Race"]),
        ("facegender predict ", []),  # then the shell offers files
        ("facegender eval --model ", []),
    ],
)
def test_bash_is_offered_what_fits(table, line, words):
    assert offered(line) == words


def test_nothing_is_offered_and_nothing_breaks_without_a_table(in_tmp):
    assert offered("facegender eval --by ") == []
    (in_tmp / "faces.csv").write_bytes(b"\xff\xfe\0\0path" * 9)
    assert offered("facegender eval --by ") == []
    assert offered("facegender eval --split v", FACEGENDER_WORKERS="many") == ["val"]


def test_zsh_and_fish_are_told_what_words_mean(table):
    args = {"_TYPER_COMPLETE_ARGS": "facegender train --arch "}
    zsh = call(_FACEGENDER_COMPLETE="complete_zsh", **args)
    assert '"compact":"quick from scratch"' in zsh
    fish = call(
        _FACEGENDER_COMPLETE="complete_fish", _TYPER_COMPLETE_FISH_ACTION="get-args", **args
    )
    assert "classic\tthe 2015 article's network" in fish


def test_scripts_are_shown_and_installed(in_tmp):
    env = {"HOME": str(in_tmp), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for shell in ("bash", "zsh", "fish"):
        shown = call("--show-completion", shell, **env)
        assert f"complete_{shell}" in shown
        call("--install-completion", shell, **env)
        (installed,) = (
            path
            for path in in_tmp.rglob("*facegender*")
            if path.is_file() and f"complete_{shell}" in path.read_text()
        )
        assert installed.read_text().strip() == shown.strip()


def test_bash_completes_with_the_script(in_tmp):
    (in_tmp / "bin").mkdir()
    program = in_tmp / "bin" / "facegender"
    program.write_text(f"#!{sys.executable}\nfrom facegender.cli import main\nmain()\n")
    program.chmod(0o755)
    script = (
        'eval "$(facegender --show-completion bash)"\n'
        "COMP_WORDS=(facegender train --arch cl); COMP_CWORD=3\n"
        '_facegender_completion facegender; echo "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert done.stdout.split() == ["classic"], done.stderr


def test_the_names_of_columns_are_those_of_tables():
    from facegender.dataset.table import LABEL_WORDS, PATH_WORDS

    assert (completion.PATH_WORDS, completion.LABEL_WORDS) == (PATH_WORDS, LABEL_WORDS)


def test_help_lists_words_with_their_meaning():
    text = completion.described(Alignment, Alignment.EYES)
    assert text == (
        "eyes (rotated so that the eyes are level; the default) or box (a square around the face "
        "found)"
    )
