import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facegender import cli
from facegender.errors import FaceGenderError, Interrupted
from facegender.runtime.files import write_text
from facegender.runtime.signals import SIGNALS, StopRequest, Uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_at_once_outside_and_waits_inside(number):
    stop = StopRequest()
    was = signal.signal(number, signal.default_int_handler)  # a background job ignores Ctrl-C
    before = signal.getsignal(number)
    with stop.installed():
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), number)
        assert caught.value.signal_number == number
        stop.signal_number = None
        with stop.held():
            os.kill(os.getpid(), number)
            assert stop.signal_number == number
            with pytest.raises(Interrupted):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    signal.signal(number, was)


@pytest.fixture
def seen():
    """Signal numbers that a handler received."""
    received = []
    kept = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    yield received
    signal.signal(signal.SIGTERM, kept)


def test_a_signal_waits_for_the_end_of_what_must_not_be_interrupted(seen):
    before = signal.getsignal(signal.SIGTERM)
    with Uninterrupted() as held:
        signal.raise_signal(signal.SIGTERM)
        assert seen == []
        with held.interruptible():
            assert seen == [signal.SIGTERM]
            assert signal.getsignal(signal.SIGTERM) is before
            signal.raise_signal(signal.SIGTERM)
            assert len(seen) == 2
        with Uninterrupted():
            signal.raise_signal(signal.SIGTERM)
        assert len(seen) == 2, "the outer block still holds"
        signal.raise_signal(signal.SIGTERM)
        assert len(seen) == 3, "a second one comes through"
    assert len(seen) == 4
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_nobody_handles_or_that_is_ignored_is_left_as_it_is():
    for handler in (signal.SIG_DFL, signal.SIG_IGN):
        kept = signal.signal(signal.SIGTERM, handler)
        with Uninterrupted():
            assert signal.getsignal(signal.SIGTERM) == handler
        signal.signal(signal.SIGTERM, kept)


def test_another_thread_may_say_that_it_must_not_be_interrupted(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write_text, tmp_path / "a", "new").result()
    assert (tmp_path / "a").read_text() == "new"


def test_a_lost_interrupt_is_sent_again():
    code = """
import os, signal, sys, time
from facegender.errors import FaceGenderError, Interrupted
from facegender.runtime.signals import FirstRaises, handle
signal.signal(signal.SIGINT, signal.default_int_handler)
class Fragile:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
stopper = FirstRaises()
stopper.resend_lost()
handle(stopper)
try:
    Fragile()
    print("lost", flush=True)
    time.sleep(30)
except Interrupted as error:
    print("raised", error.signal_number, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(30)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout == "lost\nraised 2\n"
    assert done.stderr == ""
    assert done.returncode == 143, "a second signal ends it at once"


@pytest.mark.parametrize(
    "error",
    [
        ImportError("initialization failed"),  # whatever was raised while C code was imported
        OSError(9, "Bad file descriptor"),  # shutil.rmtree, cut short
        FaceGenderError("cannot write: Bad file descriptor"),
    ],
)
def test_what_follows_from_an_interruption_is_one_still(monkeypatch, capsys, error):

    def imports() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        except Interrupted:
            raise error from None

    monkeypatch.setattr(cli, "app", imports)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    hook = sys.unraisablehook
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended.value.code == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert "stopped" in said
    assert str(error) not in said
