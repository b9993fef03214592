"""Figures that several lessons draw. Each function takes `ax=None`, returns the Axes, and never calls `show`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, metrics
from showertools.chunks import check_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MASS_COLORS = {1: "#d55e00", 4: "#e69f00", 14: "#009e73", 56: "#0072b2"}
"""Colour of each mass number in every figure, from M. Okabe and K. Ito's palette for colour-blind readers."""
MASS_LABELS = {1: "p", 4: "He", 14: "N", 56: "Fe"}
"""Name of each mass number."""
CLASS_COLORS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9")
"""Colours of numbered classes, from the same palette."""


def footprint(
    picture: ArrayLike, *, quantity: str = "counts", pixel_size: float = 30.0, ax: Axes | None = None
) -> Axes:
    """Draw one channel of a footprint.

    Parameters
    ----------
    picture : array_like
        (H, W) counts, or arrival times [ns] with NaN where no muon came; rows are y, columns x.
    quantity : {'counts', 'arrival_time'}
        What the picture holds; times are drawn relative to the first.
    pixel_size : float
        Side of a pixel [m].
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Pixels without a muon are light grey.

    Raises
    ------
    ValueError
        If the picture has another shape, the quantity is unknown, or pixels have no size.
    """
    picture = _checks.real(picture, "picture")
    if picture.ndim != 2:
        raise ValueError(f"`picture` should have the shape (H, W). Received: shape {picture.shape}")
    if quantity not in {"counts", "arrival_time"}:
        raise ValueError(f"`quantity` should be 'counts' or 'arrival_time'. Received: {quantity!r}")
    height, width = np.array(picture.shape) * _checks.positive(pixel_size, "pixel_size") / 2
    ax = _axes(ax)
    extent = (-width, width, -height, height)
    if quantity == "counts":
        shown, label = np.where(picture > 0, picture, np.nan), "muons"
        style: dict[str, Any] = {"cmap": "viridis", "norm": LogNorm(1, max(10.0, np.nanmax(shown, initial=1.0)))}
    else:
        first = np.nanmin(picture) if np.any(np.isfinite(picture)) else 0.0
        shown, label, style = picture - first, "time after the first muon [ns]", {"cmap": "plasma"}
    ax.set_facecolor("0.93")
    image = ax.imshow(shown, origin="lower", extent=extent, interpolation="nearest", **style)
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.82)
    ax.set(xlabel="x [m]", ylabel="y [m]")
    return ax


def history(history: Mapping[str, Sequence[float]], *, quantity: str = "loss", ax: Axes | None = None) -> Axes:
    """Draw how a quantity fell during training, for training and validation data.

    Parameters
    ----------
    history : mapping
        `fit(...).history` of Keras: lists with one value an epoch.
    quantity : str
        Which one; the curve of validation data is drawn where `val_<quantity>` exists.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a logarithmic scale where all values are positive.

    Raises
    ------
    ValueError
        If the history has no such quantity.
    """
    if quantity not in history:
        raise ValueError(f"`quantity` should be one of {', '.join(history) or 'none at all'}. Received: {quantity!r}")
    ax = _axes(ax)
    for name, label, style in ((quantity, "training", "o-"), (f"val_{quantity}", "validation", "s--")):
        if name in history:
            ax.plot(np.arange(1, len(history[name]) + 1), history[name], style, label=label, markersize=4)
    if all(value > 0 for name in (quantity, f"val_{quantity}") for value in history.get(name, [])):
        ax.set_yscale("log")
        for which in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            which("{x:.3g}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=quantity)
    ax.legend()
    return ax


def estimate_against_truth(
    true: ArrayLike,
    estimate: ArrayLike,
    *,
    label: str = "$X_\\mathrm{max}$ [g/cm²]",
    bins: int = 60,
    ax: Axes | None = None,
) -> Axes:
    """Draw the two-dimensional histogram of an estimate against the truth, with the diagonal.

    Parameters
    ----------
    true, estimate : array_like
        (n,) of the same unit.
    label : str
        Name and unit of the quantity.
    bins : int
        Bins along each axis; they span the central 99.8 % of the truth.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Bins without an event stay white.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or the truth is always the same.
    """
    metrics.bias(true, estimate)  # says what is wrong with shapes or values
    check_size(bins, "bins", minimum=1)
    true, estimate = np.asarray(true), np.asarray(estimate)
    low, high = np.quantile(true, [0.001, 0.999]) if true.size else (0.0, 0.0)
    if not low < high:
        raise ValueError(f"`true` should hold at least two different values. Received: {true}")
    ax = _axes(ax)
    edges = np.linspace(low, high, bins + 1)
    ax.hist2d(true, estimate, bins=(edges, edges), cmap="viridis", norm=LogNorm())
    ax.plot([low, high], [low, high], color="k", linewidth=0.8)
    ax.set(xlabel=f"true {label}", ylabel=f"estimated {label}", aspect="equal")
    return ax


def binned(
    true: ArrayLike,
    estimate: ArrayLike,
    by: ArrayLike,
    edges: ArrayLike,
    *,
    metric: str = "bias",
    label: str | None = None,
    color: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw bias or resolution in bins of a quantity, with bootstrap intervals; see `metrics.binned`.

    Parameters
    ----------
    true, estimate : array_like
        (n,) of the same unit.
    by : array_like
        (n,) the quantity to bin in.
    edges : array_like
        (bins + 1,) edges of the bins; bins with fewer than 10 events are left out.
    metric : {'bias', 'resolution'}
        What to compute in each bin.
    label : str, optional
        For the legend.
    color : str, optional
        Any colour of matplotlib.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The horizontal bar is the bin, the vertical bar the 68 % interval.

    Raises
    ------
    ValueError
        As `metrics.binned`, or for another metric.
    """
    functions = {"bias": metrics.bias, "resolution": metrics.resolution}
    if metric not in functions:
        raise ValueError(f"`metric` should be 'bias' or 'resolution'. Received: {metric!r}")
    found = metrics.binned(true, estimate, by, edges, metric=functions[metric])
    ax = _axes(ax)
    good = found["number"] >= 10
    center, half = found["centre"][good], (found["right"] - found["left"])[good] / 2
    value = found["value"][good]
    errors = np.abs(np.stack([value - found["low"][good], found["high"][good] - value]))
    ax.errorbar(center, value, yerr=errors, xerr=half, fmt="o", markersize=4, label=label, color=color, linewidth=1)
    return ax


def confusion(matrix: ArrayLike, labels: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix as shares of each true class.

    Parameters
    ----------
    matrix : array_like
        (K, K) counts or shares; rows are the true classes.
    labels : sequence of str
        (K,) names of the classes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Each cell holds its share in percent.

    Raises
    ------
    ValueError
        If the matrix does not fit the labels, or is not finite.
    """
    matrix = _checks.finite(matrix, "matrix")
    if matrix.shape != (len(labels), len(labels)):
        raise ValueError(f"`matrix` should have the shape ({len(labels)}, {len(labels)}). Received: {matrix.shape}")
    ax = _axes(ax)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-12)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(share):
        ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    ticks = range(len(labels))
    ax.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels)
    ax.set(xlabel="estimated class", ylabel="true class")
    return ax


def by_mass(values: ArrayLike, mass_number: ArrayLike, bins: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Draw histograms of a quantity, one for each mass.

    Parameters
    ----------
    values, mass_number : array_like
        (n,) the quantity and the mass number of each shower; masses that have no colour are left out.
    bins : array_like
        Edges of the bins.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Without a legend; the histograms have labels.
    """
    if np.shape(mass_number) != np.shape(values):
        raise ValueError(f"`mass_number` should have the shape of `values`. Received: {np.shape(mass_number)}")
    ax = _axes(ax)
    for mass, color in MASS_COLORS.items():
        chosen = np.asarray(values)[np.asarray(mass_number) == mass]
        ax.hist(
            chosen,
            [float(edge) for edge in np.asarray(bins)],
            histtype="step",
            linewidth=1.5,
            color=color,
            label=MASS_LABELS[mass],
        )
    ax.set_ylabel("showers")
    return ax


def reliability(
    probability: ArrayLike,
    true_class: ArrayLike,
    *,
    bins: int = 10,
    marker: str = "o",
    label: str | None = None,
    color: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often showers were of a class to which some probability was given.

    Parameters
    ----------
    probability : array_like
        (n, K) probabilities of the classes.
    true_class : array_like
        (n,) numbers of the true classes, from 0.
    bins : int
        Bins of equal width in the probability, all classes together.
    marker, label, color
        As for `matplotlib.axes.Axes.errorbar`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A point for each bin that is not empty, at the mean probability that was given. The bar is the binomial error
        that a calibrated classifier has.
    """
    probability = np.asarray(probability, dtype=np.float64)
    if probability.ndim != 2:
        raise ValueError(f"`probability` should have the shape (n, K). Received: shape {probability.shape}")
    if np.shape(true_class) != probability.shape[:1]:
        raise ValueError(f"`true_class` should have one class for each shower. Received: {np.shape(true_class)}")
    ax = _axes(ax)
    said, right = probability.ravel(), np.eye(probability.shape[1])[np.asarray(true_class)].ravel()
    where = np.minimum((said * bins).astype(int), bins - 1)
    number = np.bincount(where, minlength=bins)
    filled = number > 0
    mean, share = (np.bincount(where, values, bins)[filled] / number[filled] for values in (said, right))
    error = np.sqrt(mean * (1 - mean) / number[filled])
    ax.errorbar(mean, share, yerr=error, fmt=marker, color=color, markersize=4, label=label)
    ax.set(xlabel="probability that was given", ylabel="share that was right", aspect="equal")
    return ax


def decision_boundary(
    predict: Callable[[NDArray[Any]], ArrayLike],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    bins: int = 200,
    ax: Axes | None = None,
) -> Axes:
    """Draw where in a plane a classifier names which class, with events and their true classes.

    Parameters
    ----------
    predict : callable
        Takes places (m, 2), returns the probabilities (m, K) of the classes, or anything of which the largest wins.
    points : array_like
        (n, 2) events; the picture spans all of them.
    labels : array_like
        (n,) numbers of their true classes, from 0.
    names : sequence of str, optional
        (K,) of the classes, for the legend.
    bins : int
        Places along each axis at which the classifier is asked.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Light areas are what the classifier says, points the truth, lines where classes tie. Axes have no labels.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is none, or there are more classes than names.
    """
    points, labels = _checks.finite(points, "points"), np.asarray(labels)
    check_size(bins, "bins", minimum=2)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"`points` should have the shape (n, 2) with n > 0. Received: {points.shape}")
    if labels.shape != points.shape[:1] or labels.dtype.kind not in "biu" or labels.min() < 0:
        raise ValueError(f"`labels` should hold one class number for each point. Received: {labels!r}")
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * np.maximum(high - low, 1e-6)
    sides = np.linspace(low - margin, high + margin, bins).T  # (2, bins)
    grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    answer = np.asarray(predict(grid))
    if answer.ndim != 2 or len(answer) != len(grid):
        raise ValueError(f"`predict` should return the shape ({len(grid)}, K). Received: {answer.shape}")
    n_classes = max(answer.shape[1], labels.max() + 1)
    if names is not None and len(names) < n_classes:
        raise ValueError(f"`names` should have one for each of {n_classes} classes. Received: {names}")
    ax = _axes(ax)
    classes = answer.argmax(axis=1).reshape(bins, bins)
    colors = [CLASS_COLORS[number % len(CLASS_COLORS)] for number in range(n_classes)]
    style = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": n_classes - 0.5}
    ax.pcolormesh(*sides, classes, alpha=0.25, rasterized=True, **style)
    for number in np.unique(classes)[1:]:  # the first ends where the others begin
        ax.contour(*sides, classes == number, levels=[0.5], colors="k", linewidths=0.8)
    for number in np.unique(labels):
        x, y = points[labels == number].T
        label = None if names is None else names[number]
        ax.scatter(x, y, s=12, color=colors[number], edgecolor="white", linewidth=0.3, label=label)
    if names is not None:
        ax.legend()
    return ax


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots(layout="constrained")[1] if ax is None else ax
