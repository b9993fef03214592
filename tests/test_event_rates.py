import dataclasses

import numpy as np
import pytest

from showertools import cherenkov, event_rates
from showertools.cherenkov import TelescopeModel


def test_fluxes():
    assert event_rates.crab_nebula(1.0) == 2.83e-7
    assert event_rates.protons([1.0, 10.0])[1] == pytest.approx(0.11 * 10**-2.72)


@pytest.mark.parametrize("index", [-2.0, -1.0, -1.5])
@pytest.mark.parametrize("particle", ["gamma", "proton"])
def test_all_events_together_are_the_flux_through_the_disc(index, particle):
    """Whatever energies are drawn, the sum over them is the integral over the flux."""
    model = TelescopeModel(energy=(0.1, 1.0), spectral_index=index, camera_name="small", impact_radius=5000.0)
    rng = np.random.default_rng(1)
    energy = cherenkov._draw_energy(rng, 200_000, model)
    area = np.pi * 5000**2 * np.sin(np.radians(70))
    factor, power, angle = (2.83e-7, 1.62, 1.0) if particle == "gamma" else (0.11, 1.72, 0.023909)  # 5° in sr
    expected = factor * (0.1**-power - 1) / power * area * angle
    rate = event_rates.of_events(energy, particle=particle, model=model)
    assert rate.sum() == pytest.approx(expected, rel=0.02)


def test_more_events_stand_for_less_each():
    model = TelescopeModel()
    one, two = (event_rates.of_events(np.ones(n), particle="gamma", model=model) for n in (10, 20))
    assert one[0] == pytest.approx(2 * two[0])
    assert event_rates.of_events([], particle="gamma", model=model).shape == (0,)
    wider = dataclasses.replace(model, impact_radius=600.0)
    assert event_rates.of_events([1.0], particle="gamma", model=wider) == pytest.approx(40 * one[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy": [0.0]}, r"`energy` should be at least .* TeV\. Received: 0"),
        ({"energy": [np.nan]}, r"`energy` should be at least .* TeV\. Received: nan"),
        ({"particle": "iron"}, r"`particle` should be one of gamma, proton\. Received: 'iron'"),
        ({"model": None}, r"`model` should be a TelescopeModel\. Received: None"),
    ],
)
def test_bad_arguments(given, message):
    arguments = {"energy": [1.0], "particle": "gamma", "model": TelescopeModel()} | given
    with pytest.raises(ValueError, match=message):
        event_rates.of_events(arguments.pop("energy"), **arguments)
