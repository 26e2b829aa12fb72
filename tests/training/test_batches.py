import numpy as np
import pytest

from facegender.models.keras_backend import import_keras
from facegender.training.also import UNKNOWN, Task
from facegender.training.augmentation import augment
from facegender.training.batches import Batches, balanced_weights
from tests.conftest import pattern

import_keras()
import tensorflow as tf  # noqa: E402

CROPS = np.stack([pattern(i % 2, i, (32, 40)) for i in range(23)])
LABELS = (np.arange(23) % 2).astype(np.int8)


def made(**options):
    usual = {
        "crops": CROPS,
        "labels": LABELS,
        "rows": np.arange(len(CROPS)),
        "batch_size": 8,
        "seed": 5,
        "augment": False,
    }
    return Batches(**usual | options)


def collect(batches):
    return [tuple(np.asarray(part) for part in batch) for batch in batches]


def test_every_photo_is_seen_once_an_epoch_in_another_order():
    batches = collect(made().stream(0, 0, 2))
    assert [len(b[0]) for b in batches] == [8, 8, 7] * 2
    first, second = (np.concatenate([b[0] for b in batches[i : i + 3]]) for i in (0, 3))
    assert not np.array_equal(first, second)
    for seen in (first, second):
        assert sorted(map(bytes, seen)) == sorted(map(bytes, CROPS))


def test_crops_keep_their_labels():
    label_of = {bytes(crop): label for crop, label in zip(CROPS, LABELS, strict=True)}
    for crops, one_hot in collect(made().stream(0, 0, 1)):
        assert one_hot.dtype == np.float32
        assert [label_of[bytes(crop)] for crop in crops] == one_hot.argmax(1).tolist()
        assert (one_hot.sum(1) == 1).all()


@pytest.mark.parametrize("augmented", [False, True])
def test_any_step_can_be_replayed(augmented):
    options = {"augment": augmented, "degrade": augmented}
    whole = collect(made(**options).stream(0, 0, 3))
    rest = collect(made(**options).stream(1, 2, 3))
    assert len(rest) == 4
    for ours, theirs in zip(rest, whole[5:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_some_crops_are_degraded_where_that_is_wanted():
    (plain, _), (worse, _) = (
        collect(made(batch_size=23, degrade=on).stream(0, 0, 1))[0] for on in (False, True)
    )
    changed = sum(not np.array_equal(a, b) for a, b in zip(plain, worse, strict=True))
    assert 0 < changed < 23


def test_another_seed_gives_other_batches():
    one, two = (collect(made(seed=s, augment=True).stream(0, 0, 1)) for s in (1, 2))
    assert not np.array_equal(one[0][0], two[0][0])


def test_weights_balance_the_genders():
    labels = np.array([0] * 30 + [1] * 10, np.int8)
    female, male = balanced_weights(labels)
    assert 30 * female == pytest.approx(10 * male)
    assert 30 * female + 10 * male == pytest.approx(40)
    batch = collect(made(class_weights=(2.0, 0.5)).stream(0, 0, 1))[0]
    np.testing.assert_allclose(batch[2], np.where(batch[1][:, 0] == 1, 2.0, 0.5))


def test_augmentation_changes_crops_but_not_what_they_show():
    crops = np.full((256, 40, 40, 3), 90, np.uint8)
    crops[:, 16:24, 16:24] = (240, 200, 200)  # a bright middle
    varied = augment(tf.constant(crops), tf.constant([3, 4], tf.int64)).numpy()
    assert varied.dtype == np.uint8
    assert varied.shape == crops.shape
    assert len({bytes(crop) for crop in varied}) == 256
    red = varied[..., 0].astype(float)
    y, x = np.mgrid[:40, :40]
    bright = red - red.mean((1, 2), keepdims=True)
    shown = [(b > b.max() * 0.6) for b in bright]
    middles = np.array([(y[s].mean(), x[s].mean()) for s in shown])
    # Shifts reach 8 % of 40 pixels; erasing may hide a part in a quarter of the crops.
    assert (np.abs(middles - 19.5).max(axis=1) < 5.5).mean() > 0.9
    assert np.abs(middles.mean(axis=0) - 19.5).max() < 1


def test_flips_are_half():
    crops = np.zeros((512, 32, 32, 3), np.uint8)
    crops[:, :, :10] = 255
    varied = augment(tf.constant(crops), tf.constant([1, 2], tf.int64)).numpy().astype(float)
    left = (varied[:, :, :12].mean((1, 2, 3)) > varied[:, :, 20:].mean((1, 2, 3))).mean()
    assert 0.4 < left < 0.6


def test_mixing_keeps_most_of_a_photo_and_mixes_its_label_alike():
    batches = collect(made(mixup=0.4).stream(0, 0, 1))
    plain = collect(made().stream(0, 0, 1))
    mixed = 0
    for (crops, targets), (before, labels) in zip(batches, plain, strict=True):
        np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)
        assert (targets.argmax(1) == labels.argmax(1)).all()
        other, share = before[::-1].astype(float), None
        for crop, own, partner, target, label in zip(
            crops, before, other, targets, labels, strict=True
        ):
            difference = own.astype(float) - partner
            where = np.abs(difference) > 30
            if not where.any():
                continue
            share = ((crop - partner)[where] / difference[where]).mean()
            assert 0.49 < share <= 1.01
            if label.argmax() != 1 and target[1] > 0.02:
                assert share == pytest.approx(target[0], abs=0.03)
                mixed += 1
    assert mixed


def test_further_tasks_have_targets_of_their_own_and_rows_without_a_value_weigh_nothing():
    ages = np.where(np.arange(23) % 3 == 0, UNKNOWN, np.arange(23) % 4).astype(np.int16)
    task = Task("age", ("a", "b", "c", "d"), ages)
    age_of = {bytes(crop): age for crop, age in zip(CROPS, ages, strict=True)}
    batches = list(made(tasks=(task,), class_weights=(2.0, 0.5)).stream(0, 0, 1))
    assert len(batches) == 3
    for crops, (genders, targets), (weights, known) in batches:
        expected = [age_of[bytes(crop)] for crop in np.asarray(crops)]
        assert np.asarray(known).tolist() == [float(age != UNKNOWN) for age in expected]
        classes = np.asarray(targets)
        assert classes.shape == (len(expected), 4)
        for row, age in zip(classes, expected, strict=True):
            assert row.sum() == float(age != UNKNOWN)
            assert age == UNKNOWN or row[age] == 1
        np.testing.assert_allclose(weights, np.where(np.asarray(genders)[:, 0] == 1, 2.0, 0.5))


def test_a_teacher_answers_the_crops_as_they_are_augmented():
    seen = []

    def teacher(crops):
        seen.append(crops)
        return np.tile(np.float32([0.9, 0.1]), (len(crops), 1))

    batches = collect(made(augment=True, teacher=teacher, teacher_share=0.25).stream(0, 0, 1))
    assert sorted(map(bytes, np.concatenate([b[0] for b in batches]))) == sorted(
        map(bytes, np.concatenate(seen))
    )
    plain = collect(made(augment=True).stream(0, 0, 1))
    for (_, ours), (_, labels) in zip(batches, plain, strict=True):
        np.testing.assert_allclose(ours, 0.75 * labels + 0.25 * np.float32([0.9, 0.1]), rtol=1e-6)


def test_what_teachers_said_of_a_photo_goes_with_it_through_shuffling_and_mixing():
    said = np.random.default_rng(5).dirichlet((1, 1), len(CROPS)).astype(np.float32)
    said_of = {bytes(crop): answer for crop, answer in zip(CROPS, said, strict=True)}
    batches = collect(made(taught=said, teacher_share=0.6).stream(0, 0, 1))
    plain = collect(made().stream(0, 0, 1))
    for (crops, ours), (_, labels) in zip(batches, plain, strict=True):
        answers = np.stack([said_of[bytes(crop)] for crop in crops])
        np.testing.assert_allclose(ours, 0.4 * labels + 0.6 * answers, rtol=1e-5)
    mixed = collect(made(taught=said, teacher_share=0.6, mixup=0.4).stream(0, 0, 1))
    assert any(
        not np.allclose(ours, targets)
        for (_, ours), (_, targets) in zip(mixed, batches, strict=True)
    )


def test_a_doubted_label_is_nearer_to_one_half_and_its_teacher_too():
    doubts = np.where(np.arange(len(CROPS)) % 2, 0.5, 0).astype(np.float32)
    doubt_of = {bytes(crop): doubt for crop, doubt in zip(CROPS, doubts, strict=True)}
    taught = np.tile(np.float32([0.8, 0.2]), (len(CROPS), 1))
    batches = collect(made(doubts=doubts, taught=taught, teacher_share=0.5).stream(0, 0, 1))
    plain = collect(made(taught=taught, teacher_share=0.5).stream(0, 0, 1))
    for (crops, ours), (_, sure) in zip(batches, plain, strict=True):
        for crop, target, before in zip(crops, ours, sure, strict=True):
            doubt = doubt_of[bytes(crop)]
            np.testing.assert_allclose(target, doubt / 2 + (1 - doubt) * before, rtol=1e-5)
