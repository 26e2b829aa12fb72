import numpy as np
import pytest

from facegender.comparison import compare_answers, mcnemar, read_answers
from facegender.dataset.samples import Samples
from facegender.errors import DataError
from facegender.metrics import Answers


def test_mcnemar_by_published_numbers():
    """The documentation of statsmodels' mcnemar, exact: 121 against 59, p = 4.434e-06."""
    assert mcnemar(121, 59) == pytest.approx(4.434e-06, rel=1e-3)
    assert mcnemar(59, 121) == mcnemar(121, 59)
    assert mcnemar(0, 0) == 1
    assert mcnemar(0, 5) == pytest.approx(2 * 0.5**5)


def answers(rights, labels):
    return Answers(labels, np.where(np.array(rights) == (labels == 1), 0.9, 0.1))


def test_the_difference_is_paired_and_counts_missing_answers_as_errors():
    labels = np.array([0, 1] * 50, np.int8)
    first = answers([True] * 100, labels)
    wrong = np.arange(100) < 10
    second = answers(~wrong, labels)
    second.p_male[50:60] = np.nan
    result = compare_answers(first, second)
    assert result.difference.value == pytest.approx(0.2)
    assert result.difference.low > 0.1
    assert (result.only_first, result.only_second) == (20, 0)
    assert result.differing.tolist() == [*range(10), *range(50, 60)]
    assert result.p_value < 1e-4
    same = compare_answers(first, first)
    assert (same.difference.value, same.p_value, len(same.differing)) == (0, 1, 0)


def test_persons_widen_the_interval():
    labels = np.ones(200, np.int8)
    first = answers([True] * 200, labels)
    second = answers(np.repeat(np.arange(20) >= 4, 10), labels)
    alone = compare_answers(first, second).difference
    grouped = compare_answers(first, second, [f"p{i // 10}" for i in range(200)]).difference
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def samples(paths):
    count = len(paths)
    return Samples(paths, np.zeros(count, np.int8), [""] * count, ["test"] * count)


def test_another_tools_answers_are_read_by_path(in_tmp):
    (in_tmp / "sub").mkdir()
    (in_tmp / "sub/other.csv").write_text(
        f"path,p_male,note\na.jpg,0.25,x\n{in_tmp}/b.jpg,,\n../c.jpg,1,\n"
    )
    found = read_answers(
        in_tmp / "sub/other.csv", samples(["sub/a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    )
    np.testing.assert_array_equal(found.p_male, [0.25, np.nan, 1, np.nan])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,male\na.jpg,1\n", "columns"),
        ("path,p_male\na.jpg,1.5\n", "p_male '1.5'"),
        ("path,p_male\na.jpg,high\n", "p_male 'high'"),
        ("path,p_male\na.jpg,nan\n", "p_male 'nan'"),
        ("path,p_male\nz.jpg,0.5\n", "none of the photos"),
        ("", "columns"),
    ],
)
def test_unusable_answers_are_refused(in_tmp, text, words):
    (in_tmp / "other.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_answers(in_tmp / "other.csv", samples(["a.jpg"]))
    with pytest.raises(DataError, match="cannot read"):
        read_answers(in_tmp / "nothing.csv", samples(["a.jpg"]))
