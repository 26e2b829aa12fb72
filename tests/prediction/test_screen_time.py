from facegender.prediction.screen_time import ScreenTime


def test_seconds_are_summed_by_what_is_sure():
    screen = ScreenTime.of([("female", False, 3.0), ("male", False, 1.0), ("male", True, 5.0)])
    assert screen == ScreenTime(3.0, 1.0, 5.0)
    assert (screen.seconds, screen.share_female) == (9.0, 0.75)
    assert (screen + screen).female == 6.0
    assert screen.to_json() == {"female": 3.0, "male": 1.0, "uncertain": 5.0}


def test_without_a_sure_face_there_is_no_share():
    assert ScreenTime(0, 0, 2).share_female is None
