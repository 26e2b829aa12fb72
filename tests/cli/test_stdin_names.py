"""Names on stdin: whole names in any pieces, and no waiting where none is there."""

import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.cli._stdin_names import StdinNames

NAME = st.binary(min_size=1, max_size=12).map(lambda name: name.translate(None, b"\0\r\n"))


@pytest.fixture
def pipe(monkeypatch):
    """A pipe whose reading end is stdin; yields the writing end."""
    read, write = os.pipe()
    with os.fdopen(read) as stream, os.fdopen(write, "wb", buffering=0) as end:
        monkeypatch.setattr(sys, "stdin", stream)
        yield end


@given(st.lists(NAME), st.sampled_from([b"\n", b"\r\n", b"\0"]), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_names_come_whole_in_whatever_pieces(names, end, ended, data):
    text = end.join(names) + (end if ended else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    expected = [os.fsdecode(name) for name in names if name]
    read, write = os.pipe()
    found, listed = [], StdinNames()
    with pytest.MonkeyPatch.context() as patch, os.fdopen(read) as stream:
        patch.setattr(sys, "stdin", stream)
        names = listed.read(b"\0" if end == b"\0" else b"\n")
        assert listed.ready(), "before the list is begun nothing is waited for"
        for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True):
            os.write(write, text[start:stop])
            whole = [name for name in text[:stop].split(end)[:-1] if name]
            while len(found) < len(whole):
                assert listed.ready()
                found.append(next(names))
            assert not whole or not listed.ready()
        os.close(write)
        found += names
        assert listed.ready()
    assert found == expected


def test_a_half_name_is_not_there_yet(pipe):
    listed = StdinNames()
    names = listed.read(b"\n")
    pipe.write(b"first\nsec")
    assert next(names) == "first"
    assert not listed.ready()
    pipe.write(b"ond\n")
    assert listed.ready()
    assert next(names) == "second"
    assert not listed.ready()
    pipe.close()
    assert listed.ready(), "the end is at hand"
    assert list(names) == []
