import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegender.dataset.digests import Digests

DIGEST = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda text: text != "0" * 32)


@settings(deadline=None)
@given(st.lists(DIGEST | st.sampled_from(["", "0" * 31 + "1", "1" + "0" * 31]), max_size=8))
def test_digests_are_a_list(texts):
    digests = Digests.of(texts)
    assert digests == texts
    assert len(digests) == len(texts)
    assert digests[1:] == texts[1:]
    assert Digests.from_hex(digests.to_hex(0, len(texts))) == texts
    numbers = digests.numbers().tolist()
    assert [number < 0 for number in numbers] == [not text for text in texts]
    for one, a in zip(numbers, texts, strict=True):
        assert [one == other for other in numbers] == [a == b for b in texts]


def test_what_are_no_digests_is_refused():
    for text in ("abc", "0" * 16, "g" * 32):
        with pytest.raises(ValueError):
            Digests.from_hex(text)
