import os
import signal
import subprocess
import sys
import time

import pytest

from facegender import cli
from facegender.errors import FaceGenderError, Interrupted
from facegender.runtime.signals import SIGNALS, StopRequest


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
    assert said.startswith("Stopped; ")
    assert "Error" not in said
    assert str(error) not in said


def test_a_second_signal_says_how_to_go_on():
    told = []
    stop = StopRequest(lambda: told.append(1), "The same command goes on.")
    with stop.held():
        stop(signal.SIGINT, None)
        assert told == [1]
        with pytest.raises(Interrupted) as caught:
            stop(signal.SIGINT, None)
    assert caught.value.hint == "The same command goes on."
    assert told == [1]
