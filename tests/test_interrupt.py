import os
import signal

import pytest

from facegender.errors import Interrupted
from facegender.interrupt import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_at_once_outside_and_waits_inside(number):
    stop = StopRequest()
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
