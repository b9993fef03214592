import numpy as np
import pytest

from showertools import symmetry


@pytest.fixture
def pictures():
    return np.random.default_rng(1).normal(size=(3, 4, 4, 2))


def test_eight_copies_differ_and_the_first_is_the_picture(pictures):
    copies = [symmetry.turned(pictures, number) for number in range(symmetry.N_SYMMETRIES)]
    assert np.array_equal(copies[0], pictures)
    assert len({copy.tobytes() for copy in copies}) == 8


def test_one_right_angle_moves_a_corner_to_the_next():
    picture = np.zeros((1, 2, 2, 1))
    picture[0, 0, 0, 0] = 1
    corners = [tuple(np.argwhere(symmetry.turned(picture, number)[0, ..., 0])[0]) for number in range(4)]
    assert corners == [(0, 0), (1, 0), (1, 1), (0, 1)]


def test_copies_of_a_copy_are_the_copies(pictures):
    copies = {symmetry.turned(pictures, number).tobytes() for number in range(8)}
    for first in range(8):
        again = {symmetry.turned(symmetry.turned(pictures, first), number).tobytes() for number in range(8)}
        assert again == copies


def test_average_does_not_change_when_the_picture_is_turned(pictures):
    weights = np.random.default_rng(2).normal(size=(4, 4, 2))
    answers = [
        symmetry.averaged(lambda some: np.tensordot(some, weights, 3), symmetry.turned(pictures, number))
        for number in range(8)
    ]
    assert np.shape(answers[0]) == (3,)
    assert np.allclose(answers, answers[0])
    assert not np.allclose(answers[0], np.tensordot(pictures, weights, 3))


def test_average_of_something_symmetric_is_itself(pictures):
    assert np.allclose(symmetry.averaged(lambda some: some.sum(axis=(1, 2)), pictures), pictures.sum(axis=(1, 2)))


@pytest.mark.parametrize("number", [-1, 8, 1.5])
def test_unknown_symmetry(pictures, number):
    with pytest.raises(ValueError, match="`number` should lie between 0 and 7"):
        symmetry.turned(pictures, number)


def test_pictures_must_be_square():
    with pytest.raises(ValueError, match="`pictures` should have the shape"):
        symmetry.turned(np.zeros((2, 3, 4, 1)), 0)
