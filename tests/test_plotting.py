import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from showertools import plotting

RNG = np.random.default_rng(1)
PICTURE = RNG.poisson(0.7, (8, 6)).astype(np.float32)
TIME = np.where(PICTURE > 0, 100 + 10 * PICTURE, np.nan)
TRUE = RNG.normal(750, 40, 500)
ESTIMATE = TRUE + RNG.normal(2, 10, 500)
HISTORY = {"loss": [3.0, 2.0, 1.5], "val_loss": [3.1, 2.2, 1.9], "bias": [0.5, -0.1, 0.0]}

POINTS, CLASSES = RNG.normal(size=(40, 2)), np.resize([0, 1, 2], 40)


def halves(places):
    """Name class 0 where x is negative, class 1 elsewhere."""
    return np.stack([places[:, 0] < 0, places[:, 0] >= 0], axis=1).astype(float)


FIGURES = {
    "counts": lambda **ax: plotting.footprint(PICTURE, **ax),
    "arrival times": lambda **ax: plotting.footprint(TIME, quantity="arrival_time", pixel_size=10.0, **ax),
    "an empty picture": lambda **ax: plotting.footprint(np.zeros((4, 4)), **ax),
    "no time": lambda **ax: plotting.footprint(np.full((4, 4), np.nan), quantity="arrival_time", **ax),
    "history": lambda **ax: plotting.history(HISTORY, **ax),
    "history without validation": lambda **ax: plotting.history(HISTORY, quantity="bias", **ax),
    "estimate": lambda **ax: plotting.estimate_against_truth(TRUE, ESTIMATE, **ax),
    "bias": lambda **ax: plotting.binned(TRUE, ESTIMATE, TRUE, np.linspace(650, 850, 6), **ax),
    "resolution": lambda **ax: plotting.binned(
        TRUE, ESTIMATE, TRUE, np.linspace(650, 850, 6), metric="resolution", label="network", color="C1", **ax
    ),
    "decision boundary": lambda **ax: plotting.decision_boundary(
        halves, POINTS, CLASSES % 2, names=["gamma", "proton"], bins=20, **ax
    ),
    "confusion": lambda **ax: plotting.confusion([[3, 1], [0, 4]], ["p", "Fe"], **ax),
    "by mass": lambda **ax: plotting.by_mass(TRUE, np.resize([1, 56], 500), np.linspace(600, 900, 30), **ax),
    "reliability": lambda **ax: plotting.reliability(np.full((8, 2), 0.5), [0, 1] * 4, label="coin", **ax),
}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


NO_LABEL = {"bias", "resolution", "by mass", "decision boundary"}  # what is on their axis only the caller knows


@pytest.mark.parametrize("name", FIGURES)
def test_returns_new_axes(name, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a figure was shown"))
    ax = FIGURES[name]()
    assert isinstance(ax, Axes)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() or name in NO_LABEL


@pytest.mark.parametrize("name", FIGURES)
def test_draws_into_given_axes(name):
    _, (left, right) = plt.subplots(ncols=2)
    assert FIGURES[name](ax=right) is right
    assert right.has_data()
    assert not left.has_data()
    assert len(plt.get_fignums()) == 1


def test_rows_are_y_upwards():
    picture = np.zeros((4, 6))
    picture[0, 5] = 3
    ax = plotting.footprint(picture, pixel_size=10.0)
    image = ax.images[0]
    assert image.origin == "lower"
    assert image.get_extent() == [-30, 30, -20, 20]
    assert image.get_array()[0, 5] == 3
    assert np.ma.getmaskarray(np.ma.masked_invalid(image.get_array()))[1, 1]  # empty: not drawn


def test_times_are_relative_to_the_first():
    assert np.nanmin(plotting.footprint(TIME, quantity="arrival_time").images[0].get_array()) == 0


def test_history_is_logarithmic_where_it_can_be():
    assert plotting.history(HISTORY).get_yscale() == "log"
    assert plotting.history(HISTORY, quantity="bias").get_yscale() == "linear"
    assert len(plotting.history(HISTORY).lines) == 2


def test_confusion_shows_shares_of_the_true_class():
    ax = plotting.confusion([[3, 1], [0, 4]], ["p", "Fe"])
    assert [text.get_text() for text in ax.texts] == ["75", "25", "0", "100"]


def test_thin_bins_are_left_out():
    ax = plotting.binned(TRUE, ESTIMATE, TRUE, [0, 100, 700, 750, 800])
    assert len(ax.containers[0].lines[0].get_xdata()) == 3


def test_every_mass_has_a_colour_and_a_name():
    assert set(plotting.MASS_COLORS) == set(plotting.MASS_LABELS) == {1, 4, 14, 56}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: plotting.footprint(np.zeros((2, 3, 3))),
            r"`picture` should have the shape \(H, W\)\. Received: shape",
        ),
        (lambda: plotting.footprint(PICTURE, quantity="time"), r"`quantity` should be 'counts' or .*Received: 'time'"),
        (lambda: plotting.history(HISTORY, quantity="mae"), r"`quantity` should be one of loss, .*Received: 'mae'"),
        (
            lambda: plotting.binned(TRUE, ESTIMATE, TRUE, [600, 900], metric="rms"),
            r"`metric` should be 'bias' or 'resolution'\. Received: 'rms'",
        ),
        (lambda: plotting.footprint(PICTURE, pixel_size=0), "`pixel_size` should be positive"),
        (lambda: plotting.footprint("counts"), "`picture` should hold real numbers"),
        (lambda: plotting.estimate_against_truth([1, 2], [[1], [2]]), r"`estimate` should have shape \(n,\)"),
        (lambda: plotting.estimate_against_truth([1, 2], [1, 2, 3]), "`estimate` should have the shape of `true`"),
        (lambda: plotting.estimate_against_truth([1, np.nan], [1, 2]), "`true` should be finite"),
        (lambda: plotting.estimate_against_truth([], []), "`true` should hold at least two different values"),
        (lambda: plotting.estimate_against_truth([1, 2], [1, 2], bins=0), "`bins` should be a whole number"),
        (lambda: plotting.binned([1, 2], [1], [1, 2], [0, 3]), "`estimate` should have the shape of `true`"),
        (lambda: plotting.confusion(np.full((2, 2), np.nan), ["p", "Fe"]), "`matrix` should be finite"),
        (lambda: plotting.by_mass([1, 2], [1], [0, 3]), "`mass_number` should have the shape of `values`"),
        (lambda: plotting.reliability([0.5, 0.5], [0, 1]), r"`probability` should have the shape \(n, K\)"),
        (lambda: plotting.reliability([[0.5, 0.5]], [0, 1]), "`true_class` should have one class for each shower"),
        (lambda: plotting.confusion(np.eye(3), ["p", "Fe"]), r"`matrix` should have the shape \(2, 2\)\. Received"),
    ],
)
def test_bad_input(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
    assert not plt.get_fignums()


def test_by_mass_counts_each_mass():
    ax = plotting.by_mass([1, 2, 2, 3], [1, 56, 56, 4], [0.5, 1.5, 2.5, 3.5])
    assert sorted(patch.get_label() for patch in ax.patches if patch.get_label() in {"p", "He", "N", "Fe"}) == sorted(
        plotting.MASS_LABELS.values()
    )
    assert ax.get_ylim()[1] >= 2


def test_reliability_by_hand():
    ax = plotting.reliability([[0.9, 0.1]] * 10, [0] * 8 + [1] * 2)
    (points, _, _), *_ = ax.containers
    assert points.get_xydata() == pytest.approx(np.array([[0.1, 0.2], [0.9, 0.8]]))


def test_decision_boundary_shows_what_the_classifier_says():
    points = np.array([[-1.0, 0.0], [3.0, 2.0], [0.0, 1.0]])
    ax = plotting.decision_boundary(halves, points, [0, 1, 1], names=["gamma", "proton"], bins=51)
    areas, outline, *_ = ax.collections
    x = np.linspace(-1.2, 3.2, 51)  # a margin of 5 % on either side
    np.testing.assert_array_equal(areas.get_array().reshape(51, 51), np.tile(x >= 0, (51, 1)))
    np.testing.assert_allclose(outline.get_paths()[0].vertices[:, 0], 0, atol=0.1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gamma", "proton"]
    plt.close("all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((halves, POINTS[:, :1], CLASSES), r"`points` should have the shape \(n, 2\)"),
        ((halves, POINTS, CLASSES[1:]), r"`labels` should hold one class number for each point"),
        ((halves, POINTS, CLASSES - 1), r"`labels` should hold one class number for each point"),
        ((lambda places: places[:, 0], POINTS, CLASSES), r"`predict` should return the shape \(40000, K\)"),
    ],
    ids=["points", "labels", "negative", "predict"],
)
def test_decision_boundary_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.decision_boundary(*arguments)


def test_decision_boundary_needs_a_name_for_each_class():
    with pytest.raises(ValueError, match=r"`names` should have one for each of 3 classes\. Received: \['gamma'\]"):
        plotting.decision_boundary(halves, POINTS, CLASSES, names=["gamma"])
