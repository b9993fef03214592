"""Events that a telescope recorded: gamma rays and protons that triggered it, cleaned and described.

Most showers that fall around a telescope do not trigger it, protons least of all. Here so many are simulated that the
wanted number does. What forests read of them are Hillas parameters after a cleaning; what networks read is in
`telescope_input`. The direction of a shower is longitude and latitude in the telescope frame, `true_fov_lon` and
`true_fov_lat`, since that is where images lie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from showertools import cherenkov, chunks, hillas, telescope_frame
from showertools.camera import Camera
from showertools.cherenkov_model import TelescopeModel, check_model, check_particle
from showertools.chunks import Events

__all__ = ["FEATURES", "GAMMAS", "PROTONS", "UNITS", "features", "gammas_and_protons", "parameters", "simulate"]

UNITS = {**cherenkov.UNITS, "true_fov_lon": "deg", "true_fov_lat": "deg"}
"""Unit of each array that `simulate` returns."""
MOST_SIMULATED = 20_000
"""So many showers may be simulated for each that triggers, before a model counts as blind. Our choice."""
PICTURE_THRESH, BOUNDARY_THRESH, NEIGHBOURS = 6.0, 3.0, 2
"""Cleaning of the standard chain [p.e.]: the lower of its two usual pairs of thresholds."""
SMALLEST_INTENSITY = 50.0
"""Images with less light after the cleaning [p.e.] have no useful shape. As in the analysis of LSTs."""

GAMMAS = TelescopeModel(source_radius=1.5)
"""Gamma rays of `gammas_and_protons`: from a disc that fills most of the camera. Protons come from everywhere, and
where an image lies should not tell the two apart."""
PROTONS = TelescopeModel(energy=(0.05, 50.0))
"""Protons of `gammas_and_protons`: they need two or three times the energy for as much light."""

FEATURES = (
    "log_intensity",
    "hillas_width",
    "hillas_length",
    "width_over_length",
    "hillas_fov_lon",
    "hillas_fov_lat",
    "hillas_r",
    "hillas_phi",
    "hillas_psi",
    "hillas_skewness",
    "hillas_kurtosis",
    "timing_slope",
    "leakage_intensity_width_2",
    "concentration_cog",
    "morphology_n_islands",
)
"""Columns of `features`: those of the standard chain of LSTs, and the concentration."""


def simulate(
    n_events: int,
    *,
    seed: int,
    particle: str,
    model: TelescopeModel = TelescopeModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
) -> Events:
    """Simulate until so many showers have triggered the first telescope.

    Parameters
    ----------
    n_events : int
        How many events to return, at least 0.
    seed : int
        Not negative. The same seed gives the same events for any number of workers, and the first events of a larger
        set are those of a smaller one.
    particle : str
        "gamma" or "proton".
    model : TelescopeModel
        Parameters of showers and telescope.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        As of `cherenkov.simulate`, but of the first telescope alone and without `triggered`: `image` and `peak_time`
        (n, pixels), all others (n,). And `true_fov_lon`, `true_fov_lat`: where the primary came from, in the telescope
        frame [degrees].

    Raises
    ------
    ValueError
        If an argument is out of range, or nearly no shower triggers.

    Examples
    --------
    >>> events = simulate(10, seed=1, particle="gamma")
    >>> events["image"].shape
    (10, 1855)
    """
    check_model(model)
    check_particle(particle)
    chunks.check_size(n_events, "n_events", minimum=0)
    most = max(n_events, 1) * MOST_SIMULATED
    parts, n_found = [_triggered(cherenkov.simulate(0, seed=seed, particle=particle, model=model))], 0
    if n_events:
        for events in cherenkov.iterate(most, seed=seed, particle=particle, model=model, workers=workers):
            parts.append(_triggered(events))
            n_found += len(parts[-1]["true_energy"])
            if n_found >= n_events:
                break
        else:
            raise ValueError(f"`model` should trigger now and then. Received: {n_found} of {most} showers trigger")
    found = {name: np.concatenate([part[name] for part in parts])[:n_events] for name in parts[0]}
    pointing = (found.pop(f"telescope_pointing_{name}") for name in ("altitude", "azimuth"))
    longitude, latitude = telescope_frame.from_sky(found["true_alt"], found["true_az"], *pointing)
    return found | {"true_fov_lon": longitude.astype(np.float32), "true_fov_lat": latitude.astype(np.float32)}


def gammas_and_protons(n_gammas: int, n_protons: int, *, seed: int, workers: int | None = None) -> Events:
    """Simulate recorded gamma rays and protons, of the models `GAMMAS` and `PROTONS`, and mix them.

    On two cores 10,000 gamma rays take some 8 s, 10,000 protons 70 s: one in 3, or one in 18, triggers.

    Parameters
    ----------
    n_gammas, n_protons : int
        How many of each, at least 0.
    seed : int
        Not negative.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        As `simulate` returns them, in random order; `true_shower_primary_id` is 0 for gamma rays, 101 for protons.

    Raises
    ------
    ValueError
        If a number is negative or not whole.
    """
    chunks.check_size(seed, "seed", minimum=0)
    gammas = simulate(n_gammas, seed=2 * seed, particle="gamma", model=GAMMAS, workers=workers)
    protons = simulate(n_protons, seed=2 * seed + 1, particle="proton", model=PROTONS, workers=workers)
    order = np.random.default_rng(seed).permutation(n_gammas + n_protons)
    mixed = {}
    for name in list(gammas):  # one array at a time, so that not all are held twice
        mixed[name] = np.concatenate([gammas.pop(name), protons.pop(name)])[order]
    return mixed


def parameters(events: Events, camera: Camera, *, workers: int | None = None) -> Events:
    """Clean the images and return what describes them.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `image` and `peak_time`, (n, pixels).
    camera : Camera
        In the order of whose pixels they are.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        What `hillas.hillas_parameters` returns, and `kept` (n,) bool: images with an axis, at least
        `SMALLEST_INTENSITY` of light, and light in three pixels.
    """
    image, peak_time = events["image"], events["peak_time"]
    mask = hillas.tailcuts_clean(camera, image, PICTURE_THRESH, BOUNDARY_THRESH, NEIGHBOURS, workers=workers)
    found = hillas.hillas_parameters(camera, image, mask, peak_time, workers=workers)
    bright = np.nan_to_num(found["hillas_intensity"]) >= SMALLEST_INTENSITY
    return found | {"kept": found["valid"] & bright & (found["hillas_width"] > 0) & np.isfinite(found["timing_slope"])}


def features(found: Events) -> NDArray[np.float32]:
    """Return what a forest reads of each image, (n, len(FEATURES)), from what `parameters` returns."""
    columns = found | {
        "log_intensity": np.log10(found["hillas_intensity"]),
        "width_over_length": found["hillas_width"] / found["hillas_length"],
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)


def _triggered(events: Events) -> Events:
    """Return the first telescope's part of the events that triggered it."""
    there = events["triggered"][:, 0]
    of_telescopes = ("image", "peak_time", "true_image_sum", "true_impact_distance")
    first = {name: values[:, 0] if name in of_telescopes else values for name, values in events.items()}
    return {name: values[there] for name, values in first.items() if name != "triggered"}
