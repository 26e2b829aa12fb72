from facegender.errors import PhotoError, VideoError
from facegender.faces.geometry import Face
from facegender.prediction.predictor import FacePrediction, Prediction
from facegender.prediction.tally import Tally, tally_of, total
from facegender.prediction.video import TrackPrediction, VideoPrediction


def face(p_male, uncertain=False):
    return FacePrediction(Face((0, 0, 9, 9)), (1 - p_male, p_male), uncertain)


def test_sure_faces_count_by_gender_and_others_as_uncertain():
    several = Prediction("a", (face(0.9), face(0.1), face(0.2), face(0.6, uncertain=True)))
    assert tally_of(several) == Tally(photos=1, women=2, men=1, uncertain=1)
    assert tally_of(several).faces == 4


def test_no_face_and_a_failure_are_two_things():
    assert tally_of(Prediction("a", ())) == Tally(photos=1, no_face=1)
    broken = Prediction("a", (), PhotoError("empty", "empty"))
    assert tally_of(broken) == Tally(photos=1, failed=1)


def test_what_was_read_of_a_video_that_breaks_off_counts():
    box = (0.0, 0.0, 9.0, 9.0)
    seen = TrackPrediction(0.0, 4.0, 3.0, box, 0.9, (0.9, 0.1), False, 1.0, box, 15)
    broken = VideoPrediction("a.mp4", 4.0, 5.0, (seen,), VideoError("truncated"))
    assert tally_of(broken) == Tally(1, women=1, failed=1, seconds_women=3.0, videos=1)
    nothing = VideoPrediction("a.mp4", 0.0, 0.0, (), VideoError("not a video"))
    assert tally_of(nothing) == Tally(1, failed=1, videos=1)
    both = tally_of(broken) + tally_of(nothing)
    assert both.sentence().startswith("2 videos: 1 track, 1 woman, 0 men, ")
    mixed = both + Tally(1, men=1)
    assert mixed.sentence().startswith("1 photo and 2 videos: 2 faces, 1 woman, 1 man, ")


def test_tallies_add_up_to_one_line():
    found = total([Tally(1, women=1), Tally(1, men=1, uncertain=1), Tally(1, failed=1)])
    assert found == Tally(3, 1, 1, 1, 0, 1)
    assert found.sentence() == (
        "3 photos: 3 faces, 1 woman, 1 man, 1 uncertain, 0 without a face, 1 failed"
    )
    assert Tally(1, women=1).sentence().startswith("1 photo: 1 face, ")
