"""What each pixel of a footprint says, seen from the fitted core and start of its shower.

Once core, start, Xmax and mass are given, the pixels of a footprint are independent: the logarithm of the likelihood is
a sum over pixels of a function of count, time and distance to the core. So a network that works out something for each
pixel, sums it over the pixels, and concludes from the sums has the form that the problem asks for. This module makes
its input: a few numbers for each pixel, of order one. Nothing is learned here, from whatever showers.

Sources: the front fit is `front_fit`; scales are our choice; networks of this form are the deep sets of M. Zaheer et
al., arXiv:1703.06114.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from showertools import front_fit
from showertools.footprints import SPEED_OF_LIGHT, FootprintModel

FEATURES = ("log_count", "delay", "hit", "distance")
"""What stands in the last axis of `pixel_features`."""
TYPICAL_HEIGHT = 3840.0
"""Height of muon production whose delay counts as usual [m]. Our choice, near the mean of the front fit, 3,740 m."""
_AT_ONCE = 256  # showers that stay in the cache


def pixel_features(
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    *,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Describe each pixel by numbers of order one, in the frame of the fitted shower front.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W) as `footprints.simulate` returns them.
    model : FootprintModel
        Gives the pixels' positions and the resolution of the clocks.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    numpy.ndarray
        (n, H, W, 4) float32: logarithm of 1 + count; delay behind the fitted start, minus the usual delay at that
        distance, in units of its usual spread (cut to -5 ... 8), 0 where no muon came; 1 where one came, else 0;
        distance to the fitted core, minus 300 m, in units of 300 m. A shower whose front cannot be fitted counts as
        one at the picture's centre that starts with its first muon.

    Raises
    ------
    ValueError
        If the shapes are not those of footprints of this model.
    """
    front = front_fit.fit_front(counts, arrival_time, model=model, workers=workers)
    centers = model.pixel_centers.astype(np.float32)
    core = np.nan_to_num(front["core"])
    features = np.zeros((*counts.shape, len(FEATURES)), np.float32)
    usual = np.float32(1 / (2 * SPEED_OF_LIGHT * TYPICAL_HEIGHT))  # ns/m²
    for start in range(0, len(counts), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        hit = counts[some] > 0
        x, y = centers - core[some, :1], centers - core[some, 1:]  # (B, W), (B, H)
        square = y[:, :, None] ** 2 + x[:, None, :] ** 2  # (B, H, W)
        first = np.where(hit, arrival_time[some], np.inf).min(axis=(1, 2), initial=np.inf)
        began = np.where(np.isnan(front["start"][some]), np.where(np.isinf(first), 0, first), front["start"][some])
        expected = usual * square
        spread = np.sqrt(max(model.time_resolution, 1.0) ** 2 + (front_fit.RELATIVE_SPREAD * expected) ** 2)
        late = (np.where(hit, arrival_time[some], 0) - began[:, None, None] - expected) / spread
        features[some, ..., 0] = np.log1p(counts[some], dtype=np.float32)
        features[some, ..., 1] = np.where(hit, np.clip(late, -5, 8), 0)
        features[some, ..., 2] = hit
        features[some, ..., 3] = np.sqrt(square) / 300 - 1
    return features
