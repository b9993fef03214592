import numpy as np
import pytest
from scipy import stats

from showertools import footprint_steps, footprints
from showertools.footprints import FootprintModel

MODEL = FootprintModel()
RNG = np.random.default_rng(1)


def one_shower(rng, xmax, mass_number):
    height = footprint_steps.draw_heights(rng, xmax, mass_number)
    slope = rng.normal(0, MODEL.opening_angle, (2, len(height)))
    position, time = footprint_steps.land(height, slope)
    return footprint_steps.picture(position, time + rng.normal(0, MODEL.time_resolution, len(time)))


def test_heights_lie_between_the_ground_and_the_top():
    rng = np.random.default_rng(1)
    height = footprint_steps.draw_heights(rng, 1100.0, 1, FootprintModel(observation_level=1400.0))
    assert height.min() >= 0
    assert height.max() < 120_000


def test_muon_number_has_the_mean_and_the_fluctuations_of_the_model():
    rng = np.random.default_rng(2)
    numbers = np.array([len(footprint_steps.draw_heights(rng, 600.0, 56)) for _ in range(2000)])
    mean, spread = float(MODEL.mean_muons(56)), float(MODEL.fluctuation(56))
    assert numbers.mean() == pytest.approx(mean, rel=0.005)
    assert numbers.std() == pytest.approx(np.hypot(spread * mean, np.sqrt(mean)), rel=0.07)


def test_a_muon_lands_where_its_slope_leads():
    position, time = footprint_steps.land([1000.0, 2000.0], [[0.1, 0.0], [0.0, -0.2]], core=(10, 20), start=5.0)
    np.testing.assert_allclose(position, [[110, 10], [20, -380]])
    np.testing.assert_allclose(time, 5 + footprints.delay([1000, 2000], [100, 400]))


def test_picture_counts_muons_and_keeps_the_first_time():
    position = np.array([[1.0, 2.0, -1.0, 99.0, -30.5], [1.0, 2.0, 31.0, 0.0, 0.0]])
    counts, first = footprint_steps.picture(position, [7.0, 3.0, 4.0, 1.0, 2.0], n_pixels=2, pixel_size=30.0)
    np.testing.assert_array_equal(counts, [[0, 0], [0, 2]])
    np.testing.assert_array_equal(first, [[np.nan, np.nan], [np.nan, 3.0]])


@pytest.mark.parametrize("mass_number", [1, 56])
def test_step_by_step_gives_the_distributions_of_the_simulator(mass_number):
    xmax, size = 760.0, 400
    rng = np.random.default_rng(3)
    slow = [one_shower(rng, xmax, mass_number) for _ in range(size)]
    fast = footprints.simulate_given(rng, np.full(size, xmax), mass_number)
    counts, times = (np.array(pictures) for pictures in zip(*slow, strict=True))
    for ours, theirs in (
        ((counts > 0).sum(axis=(1, 2)), (fast["counts"] > 0).sum(axis=(1, 2))),
        (counts.sum(axis=(1, 2)), fast["counts"].sum(axis=(1, 2))),
        (np.nanmean(times, axis=(1, 2)), np.nanmean(fast["arrival_time"], axis=(1, 2))),
        (np.nanmax(times, axis=(1, 2)), np.nanmax(fast["arrival_time"], axis=(1, 2))),
    ):
        assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: footprint_steps.draw_heights(1, 750.0, 1), "`rng` should be a numpy.random.Generator"),
        (lambda: footprint_steps.draw_heights(RNG, np.nan, 1), "`xmax` should lie between 0 and 2000 g/cm²"),
        (lambda: footprint_steps.draw_heights(RNG, 750.0, 0), "`mass_number` should lie between 1 and 56"),
        (lambda: footprint_steps.land([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), r"`slope` should have the shape \(2, 3\)"),
        (lambda: footprint_steps.land([1.0], [[0.1], [0.1]], core=0.0), r"`core` should have the shape \(2,\)"),
        (
            lambda: footprint_steps.picture([[1.0, 2.0], [1.0, 3.0]], [1.0]),
            r"`position` should have the shape \(2, 1\)",
        ),
        (lambda: footprint_steps.picture([[np.nan], [1.0]], [1.0]), "`position` should be finite"),
        (lambda: footprint_steps.picture([[1.0], [1.0]], [1.0], pixel_size=0.0), "`pixel_size` should be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        call()
