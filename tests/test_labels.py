import pytest

from facegender.labels import LABELS, label_of_word, parse_label


def test_the_order_is_female_then_male():
    assert LABELS == ("female", "male")


@pytest.mark.parametrize("word", ["female", "Women", "WOMAN", "f", "女"])
def test_words_of_women(word):
    assert label_of_word(word) == 0


@pytest.mark.parametrize("word", ["male", "Men", "MAN", "m", "男"])
def test_words_of_men(word):
    assert label_of_word(word) == 1


def test_a_folder_named_0_is_no_gender_but_a_cell_is():
    assert label_of_word("0") is None
    assert (parse_label("0"), parse_label(" 1 "), parse_label("Female")) == (0, 1, 0)


@pytest.mark.parametrize("text", ["", "2", "-1", "unknown", "0.0"])
def test_other_cells_are_refused(text):
    assert parse_label(text) is None
