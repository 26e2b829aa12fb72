import pickle

from facegender.errors import FaceGenderError, PhotoError


def test_errors_cross_process_borders_whole():
    error = pickle.loads(pickle.dumps(FaceGenderError("what", "hint")))
    assert (error.message, error.hint) == ("what", "hint")
    photo = pickle.loads(pickle.dumps(PhotoError("truncated", "cut")))
    assert (photo.reason, photo.message) == ("truncated", "cut")


def test_the_text_of_an_error_says_what_to_do():
    assert str(FaceGenderError("it is broken", "Mend it.")) == "it is broken. Mend it."
    assert str(FaceGenderError("it is broken")) == "it is broken"
