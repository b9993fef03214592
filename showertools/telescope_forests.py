"""Forests of trees that reconstruct gamma rays from the parameters of one image: energy, disp and particle.

Four of them work together. Two are regressions, of log10(E/TeV) and of |disp|; two say yes or no: whether the source
lies ahead of the centroid or behind, and whether it was a gamma ray. Energy and disp are learned from gamma rays alone.
In which order they are asked is the `chain` (`CHAINS`): "parallel" ones read the image only; in a "serial" chain each
also reads what those before it said; in a "mixed" one energy and disp read the image, the particle all three.

Whoever reads what another said must learn from answers that were given as they will be later, to showers that nobody
learned from. A forest remembers its own training showers, and answers better than it can. So answers to training
showers are those of the trees that did not see them (out of bag), or, where all trees saw all, of other trees, grown
for the purpose (out of fold). These answers are a little worse than those of all trees. So protons, which energy and
disp never learned from, are answered in the same way, by as few of the trees: else the quality of an answer would tell
the particle. `remembered=True` does it the wrong way, to show what that costs.

An image is the same seen from any side, while `hillas_psi`, `hillas_phi` and the coordinates of the centroid turn with
it, and an axis has no direction: psi is cut off at ±90°. `oriented` gives an axis the direction in which the light
arrives later, and describes the image along and across. "Ahead" then means in this direction.

Source: number of trees, depth and leaves are those of the standard chain of LSTs (H. Abe et al., ApJ 956 (2023) 80,
doi:10.3847/1538-4357/ace89d); L. Breiman, Machine Learning 45 (2001) 5, doi:10.1023/A:1010933404324 for forests and
answers out of bag. Oriented axes, `max_features` and everything about boosted
trees are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.model_selection import KFold

from showertools import chunks, disp, telescope_events
from showertools.cherenkov_model import PARTICLES

__all__ = ["CHAINS", "FEATURES", "ORIENTED", "QUESTIONS", "TREES", "Forests", "direction_of_axis", "oriented"]

Matrix = NDArray[np.float32]
Parameters = Mapping[str, NDArray[Any]]

QUESTIONS = ("energy", "distance", "ahead", "particle")
"""What the four are asked, in this order: log10(E/TeV), |disp| [degrees], source ahead of the centroid, gamma ray."""
CHAINS: dict[str, dict[str, tuple[str, ...]]] = {
    "parallel": {},
    "serial": {"distance": ("energy",), "ahead": ("energy",), "particle": ("energy", "distance", "ahead")},
    "mixed": {"particle": ("energy", "distance", "ahead")},
}
"""Whose answers each of the `QUESTIONS` is told, by the name of the chain; the others are told none."""
TREES = ("forest", "boosted")
"""Kinds of trees: random forests, where each tree stands alone, or gradient boosting, where each mends the last."""
N_FOLDS = 4
"""Parts into which training showers of boosted trees are cut for answers out of fold. Our choice."""

_TURNING = ("hillas_fov_lon", "hillas_fov_lat", "hillas_phi", "hillas_psi", "hillas_skewness", "timing_slope")
ORIENTED = (
    *(name for name in telescope_events.FEATURES if name not in _TURNING),
    "timing_steepness",
    "skewness_ahead",
    "centroid_along",
    "centroid_across",
    "timing_deviation",
    "log_n_pixels",
    "concentration_core",
)
"""Columns of `oriented`."""
FEATURES = {"standard": telescope_events.FEATURES, "oriented": ORIENTED}
"""Names of the columns, for each of the `features` of `Forests`."""


def direction_of_axis(parameters: Parameters) -> NDArray[np.int8]:
    """Return 1 where the light arrives later in the direction of psi, -1 where it arrives earlier, (n,)."""
    return np.where(np.asarray(parameters["timing_slope"]) < 0, -1, 1).astype(np.int8)


def oriented(parameters: Parameters) -> Matrix:
    """Return what describes an image whichever way camera and axis are turned, (n, len(ORIENTED)).

    Parameters
    ----------
    parameters : mapping of str to numpy.ndarray
        As `telescope_events.parameters` returns them.

    Returns
    -------
    numpy.ndarray
        The columns of `telescope_events.features` that do not turn; `timing_steepness`, the size of the time gradient
        [ns/deg]; `skewness_ahead`, positive if the image has its tail where the light arrives later; `centroid_along`
        and `centroid_across`, the place of the centroid in the direction of the axis and its distance from the axis
        through the middle of the camera [degrees]; how much the times scatter, the number of pixels, and the light in
        the ellipse.
    """
    sign = direction_of_axis(parameters)
    along, across = disp.true_disp(parameters, 0.0, 0.0)  # of the middle of the camera, seen from the centroid
    standard = dict(zip(telescope_events.FEATURES, telescope_events.features(dict(parameters)).T, strict=True))
    columns = standard | {
        "timing_steepness": np.abs(parameters["timing_slope"]),
        "skewness_ahead": sign * parameters["hillas_skewness"],
        "centroid_along": -sign * along,
        "centroid_across": np.abs(across),
        "timing_deviation": parameters["timing_deviation"],
        "log_n_pixels": np.log10(parameters["morphology_n_pixels"]),
        "concentration_core": parameters["concentration_core"],
    }
    return np.stack([columns[name] for name in ORIENTED], axis=1).astype(np.float32)


class Forests:
    """Energy, direction and particle from the parameters of images.

    Parameters
    ----------
    chain : str
        One of `CHAINS`.
    trees : str
        One of `TREES`.
    features : str
        "oriented", or "standard" for those of `telescope_events.features`.
    seed : int
        Not negative; each seed grows other trees.
    min_samples_leaf : int
        How many showers a leaf of a random forest holds at least; boosted trees keep scikit-learn's 20.
    rounds : int
        How many boosted trees there are for each question.
    remembered : bool
        Learn from answers to showers that the trees remember. It is wrong; see above.
    workers : int, optional
        Number of threads of random forests; by default the number of cores. Boosted trees use all cores.

    Attributes
    ----------
    models : dict
        The fitted estimators of scikit-learn, by `QUESTIONS`.
    columns : dict
        The names of the columns that each of them reads.

    Examples
    --------
    >>> from showertools import telescope_events
    >>> model = telescope_events.GAMMAS
    >>> events = telescope_events.gammas_and_protons(40, 30, seed=1)
    >>> found = telescope_events.parameters(events, model.camera)
    >>> kept = found["kept"]
    >>> events, found = ({name: values[kept] for name, values in some.items()} for some in (events, found))
    >>> estimates = Forests("mixed").fit(found, events).predict(found)
    >>> list(estimates)
    ['gammaness', 'reco_energy', 'reco_fov_lon', 'reco_fov_lat']
    """

    def __init__(
        self,
        chain: str = "mixed",
        *,
        trees: str = "forest",
        features: str = "oriented",
        seed: int = 0,
        min_samples_leaf: int = 10,
        rounds: int = 300,
        remembered: bool = False,
        workers: int | None = None,
    ) -> None:
        for value, name, known in (
            (chain, "chain", CHAINS),
            (trees, "trees", TREES),
            (features, "features", FEATURES),
        ):
            if value not in known:
                raise ValueError(f"`{name}` should be one of {', '.join(known)}. Received: {value!r}")
        self.chain, self.trees, self.features = chain, trees, features
        self.seed = chunks.check_size(seed, "seed", minimum=0)
        self.min_samples_leaf = chunks.check_size(min_samples_leaf, "min_samples_leaf", minimum=1)
        self.rounds = chunks.check_size(rounds, "rounds", minimum=1)
        self.remembered = bool(remembered)
        self.workers = chunks.check_workers(workers)
        self.models: dict[str, Any] = {}
        self.columns: dict[str, tuple[str, ...]] = {}

    def fit(self, parameters: Parameters, events: Parameters) -> Forests:
        """Learn from simulated events.

        Parameters
        ----------
        parameters : mapping of str to numpy.ndarray
            As `telescope_events.parameters` returns them, of kept events only, (n,).
        events : mapping of str to numpy.ndarray
            `true_shower_primary_id`, `true_energy` [TeV], `true_fov_lon` and `true_fov_lat` [degrees] of the same
            events.

        Returns
        -------
        Forests
            Itself.

        Raises
        ------
        ValueError
            If a parameter is not finite, or there are not at least 10 gamma rays and 10 protons.
        """
        image = self._image(parameters)
        is_gamma = np.asarray(events["true_shower_primary_id"]) == PARTICLES["gamma"]
        if is_gamma.shape != (len(image),):
            raise ValueError(f"`events` should be those of `parameters`, {len(image)}. Received: {len(is_gamma)}")
        if min(np.count_nonzero(is_gamma), np.count_nonzero(~is_gamma)) < 10:
            raise ValueError(
                f"`events` should hold 10 gamma rays and protons or more. Received: {is_gamma.sum()} and "
                f"{(~is_gamma).sum()}"
            )
        along, _ = disp.true_disp(parameters, events["true_fov_lon"], events["true_fov_lat"])
        targets = {
            "energy": np.log10(events["true_energy"]),
            "distance": np.abs(along),
            "ahead": along * self._sign(parameters) > 0,
            "particle": is_gamma,
        }
        told: dict[str, NDArray[Any]] = {}
        for number, question in enumerate(QUESTIONS):
            learned = np.ones_like(is_gamma) if question == "particle" else is_gamma
            inputs = self._inputs(question, image, told)
            model = self._new(question, self.seed * len(QUESTIONS) + number)
            self.models[question] = model.fit(inputs[learned], targets[question][learned])
            if any(question in others for others in CHAINS[self.chain].values()):
                told[question] = (
                    self._answers(model, inputs)
                    if self.remembered
                    else self._unseen(model, inputs, targets[question], learned)
                )
        return self

    def predict(self, parameters: Parameters) -> dict[str, NDArray[np.float64]]:
        """Return the `telescope_performance.ESTIMATES` of events, (n,) each, from the parameters of kept ones."""
        answers = self.answers(parameters)
        signed = answers["distance"] * np.where(answers["ahead"] > 0.5, 1, -1) * self._sign(parameters)
        longitude, latitude = disp.source(parameters, signed)
        return {
            "gammaness": answers["particle"],
            "reco_energy": 10 ** answers["energy"],
            "reco_fov_lon": longitude,
            "reco_fov_lat": latitude,
        }

    def answers(self, parameters: Parameters) -> dict[str, NDArray[np.float64]]:
        """Return the answers to `QUESTIONS`, (n,) each; the last two are probabilities."""
        if not self.models:
            raise ValueError("`fit` should be called first. Received: forests without trees")
        image = self._image(parameters)
        told: dict[str, NDArray[np.float64]] = {}
        for question in QUESTIONS:
            told[question] = self._answers(self.models[question], self._inputs(question, image, told))
        return told

    def _image(self, parameters: Parameters) -> Matrix:
        read = oriented if self.features == "oriented" else telescope_events.features
        image = read(dict(parameters))
        if not np.isfinite(image).all():
            raise ValueError("`parameters` should be finite: give kept events only. Received: NaN or infinity")
        return image

    def _sign(self, parameters: Parameters) -> NDArray[np.int8]:
        sign = direction_of_axis(parameters)
        return sign if self.features == "oriented" else np.ones_like(sign)

    def _inputs(self, question: str, image: Matrix, told: Mapping[str, NDArray[Any]]) -> Matrix:
        others = CHAINS[self.chain].get(question, ())
        self.columns[question] = (*FEATURES[self.features], *others)
        return np.column_stack([image, *(told[other] for other in others)]).astype(np.float32)

    def _new(self, question: str, seed: int) -> Any:
        is_class = question in ("ahead", "particle")
        if self.trees == "boosted":
            settings: dict[str, Any] = {"learning_rate": 0.05, "max_iter": self.rounds, "random_state": seed}
            if is_class:
                return HistGradientBoostingClassifier(**settings)
            return HistGradientBoostingRegressor(loss="absolute_error", **settings)
        settings = {"max_depth": 30, "min_samples_leaf": self.min_samples_leaf, "oob_score": not self.remembered}
        settings |= {"random_state": seed, "n_jobs": self.workers}
        if is_class:
            return RandomForestClassifier(100, max_features="sqrt", **settings)
        return RandomForestRegressor(50, max_features=0.6, **settings)

    @staticmethod
    def _answers(model: Any, inputs: Matrix) -> NDArray[np.float64]:
        is_class = hasattr(model, "predict_proba")
        return np.asarray(model.predict_proba(inputs)[:, 1] if is_class else model.predict(inputs))

    def _unseen(
        self, model: Any, inputs: Matrix, target: NDArray[Any], learned: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return answers to showers, learned ones and others, by trees that did not see them."""
        answers = np.empty(len(inputs))
        mine, others = np.flatnonzero(learned), np.flatnonzero(~learned)
        if self.trees == "forest":
            is_class = hasattr(model, "predict_proba")
            answers[mine] = model.oob_decision_function_[:, 1] if is_class else model.oob_prediction_
            answers[others] = self._thinned(model, inputs[others])
            return answers
        folds = KFold(N_FOLDS, shuffle=True, random_state=self.seed)
        for number, (seen, unseen) in enumerate(folds.split(mine)):
            part = clone(model).fit(inputs[mine[seen]], target[mine[seen]])
            asked = np.concatenate([mine[unseen], others[number::N_FOLDS]])
            answers[asked] = self._answers(part, inputs[asked])
        return answers

    def _thinned(self, model: Any, inputs: Matrix) -> NDArray[np.float64]:
        """Return the mean answers of a random third of the trees: as many as do not see a shower that was learned."""
        rng = np.random.default_rng(self.seed)
        said, number = np.zeros(len(inputs)), np.zeros(len(inputs))
        for tree in model.estimators_:
            asked = rng.random(len(inputs)) < np.exp(-1)
            if asked.any():
                said[asked] += self._answers(tree, inputs[asked])
            number += asked
        return np.where(number > 0, said / np.maximum(number, 1), self._answers(model, inputs))
