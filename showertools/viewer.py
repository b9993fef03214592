"""Figures with sliders, and the viewer of a single footprint.

`with_sliders` always shows a figure: an ordinary picture in the cell's output, which GitHub, nbviewer and a machine
without widgets show as well. Where ipywidgets can be imported it puts sliders below that redraw this same picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from showertools import chunks, footprints, plotting, showers
from showertools.footprint_model import FootprintModel

_WIDGET = "application/vnd.jupyter.widget-view+json"
_DPI = 90


class Slider(NamedTuple):
    """A number that the reader of a figure may change.

    Attributes
    ----------
    label : str
        With its unit.
    start, low, high, step : float
        First value, range and step; if all are whole numbers, so is the value.
    play : bool
        Add a button that runs through the values, for a figure that moves; needs whole numbers.
    """

    label: str
    start: float
    low: float
    high: float
    step: float
    play: bool = False


class Choice(NamedTuple):
    """One of several values that the reader of a figure may pick.

    Attributes
    ----------
    label : str
        What is picked.
    start : object
        First value.
    options : mapping
        Each value by the name that the reader sees.
    """

    label: str
    start: Any
    options: Mapping[str, Any]


def with_sliders(draw: Callable[..., Figure], /, **controls: Slider | Choice) -> None:
    """Show a figure, and below it sliders that redraw it where widgets run.

    Parameters
    ----------
    draw : callable
        Takes the controls' values by name, returns a `matplotlib.figure.Figure`.
    **controls : Slider or Choice
        One for each argument of `draw` that may change.

    Raises
    ------
    TypeError
        If a control is neither a `Slider` nor a `Choice`.
    ValueError
        If a slider that plays has a range or step that is not whole.

    Notes
    -----
    Outside IPython there is nowhere to show a figure: nothing happens.

    Examples
    --------
    >>> with_sliders(draw_shower, xmax=Slider("Xmax [g/cm²]", 750, 650, 1000, 10))
    """
    for name, control in controls.items():
        if not isinstance(control, (Slider, Choice)):
            raise TypeError(f"`{name}` should be a Slider or a Choice. Received: {control!r}")
        if isinstance(control, Slider) and control.play and not _is_whole(control):
            raise ValueError(f"`{name}` should have whole numbers, as it plays. Received: {control!r}")
    shell = _shell()
    if shell is None:
        return
    import IPython.display

    display: Any = IPython.display.display

    handle = display(_bundle(draw(**{name: c.start for name, c in controls.items()})), raw=True, display_id=True)
    try:
        import ipywidgets
    except ImportError:
        return
    inputs = {name: _widget(ipywidgets, control) for name, control in controls.items()}

    def redraw(_: object) -> None:
        handle.update(_bundle(draw(**{name: widget.value for name, widget in inputs.items()})), raw=True)

    for widget in inputs.values():
        widget.observe(redraw, names="value")
    rows = [_row(ipywidgets, control, inputs[name]) for name, control in controls.items()]
    box = ipywidgets.VBox(rows)
    # What a widget shows by itself, but for the text in place of it: that would be its repr.
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    display({_WIDGET: view, "text/plain": "(sliders, where widgets run)"}, raw=True)


def _shell() -> Any:
    """Return the running IPython, or None outside of one."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _bundle(figure: Figure) -> dict[str, Any]:
    """Return a figure as what a notebook stores; without pyplot, so that no figure stays open or shows twice."""
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(picture, dpi=_DPI, format="png")
    return {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": "(figure)"}


def _widget(ipywidgets: Any, control: Slider | Choice) -> Any:
    style = {"description_width": "9em"}
    if isinstance(control, Choice):
        options = list(control.options.items())
        return ipywidgets.Dropdown(description=control.label, options=options, value=control.start, style=style)
    kind, number = (ipywidgets.IntSlider, int) if _is_whole(control) else (ipywidgets.FloatSlider, float)
    start, low, high, step = (number(value) for value in _numbers(control))
    low, high = min(low, start), max(high, start)  # a slider would move a value from outside its range
    # redrawn when the slider is let go: a picture takes a tenth of a second, and a slider sends many values
    arguments = {"description": control.label, "continuous_update": False, "style": style, "layout": {"width": "32em"}}
    return kind(value=start, min=low, max=high, step=step, **arguments)


def _row(ipywidgets: Any, control: Slider | Choice, widget: Any) -> Any:
    """Return a control's widget, behind a play button if it has one."""
    if not (isinstance(control, Slider) and control.play):
        return widget
    # half a second between two values: a picture takes up to a quarter
    play = ipywidgets.Play(value=widget.min, min=widget.min, max=widget.max, step=widget.step, interval=500)
    ipywidgets.link((widget, "value"), (play, "value"))
    return ipywidgets.HBox([play, widget])


def _numbers(control: Slider) -> tuple[float, float, float, float]:
    return control.start, control.low, control.high, control.step


def _is_whole(control: Slider) -> bool:
    return all(float(number).is_integer() for number in _numbers(control))


def draw_shower(
    *,
    primary: str = "p",
    xmax: float = 750.0,
    core_x: float = 0.0,
    core_y: float = 0.0,
    seed: int = 1,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
) -> Figure:
    """Simulate one shower and draw its counts and arrival times.

    Parameters
    ----------
    primary : {'p', 'He', 'N', 'Fe'}
        Which nucleus.
    xmax : float
        Depth of the shower maximum [g/cm²].
    core_x, core_y : float
        Where the axis meets the ground [m].
    seed : int
        Of the shower's muons: the same seed and another Xmax move the same muons.
    model : FootprintModel
        Parameters of the toy.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels with scales that stay the same from shower to shower; a cross marks the core.

    Raises
    ------
    ValueError
        If the primary is unknown or a number out of range.
    """
    if primary not in showers.MASS_NUMBERS:
        raise ValueError(f"`primary` should be one of {', '.join(showers.MASS_NUMBERS)}. Received: {primary!r}")
    rng = np.random.default_rng(chunks.check_size(seed, "seed", minimum=0))
    mass_number = showers.MASS_NUMBERS[primary]
    shower = footprints.simulate_given(rng, xmax, mass_number, core=(core_x, core_y), model=model)
    counts, arrival_time = shower["counts"][0], shower["arrival_time"][0]
    figure = Figure(figsize=(9.6, 4.3), layout="constrained")
    for ax, picture, quantity, scale in zip(
        figure.subplots(1, 2, sharey=True),
        (counts, arrival_time),
        ("counts", "arrival_time"),
        ((1, 30), (0, 300)),
        strict=True,
    ):
        plotting.footprint(picture, quantity=quantity, pixel_size=model.pixel_size, ax=ax)
        ax.images[0].set_clim(*scale)
        ax.plot(core_x, core_y, "x", color="red", markersize=8, markeredgewidth=1.5, scalex=False, scaley=False)
    n_muons, n_filled = shower["n_muons"][0], np.count_nonzero(counts)
    figure.suptitle(f"{primary}, Xmax = {xmax:.0f} g/cm²: {n_muons} muons made, {n_filled} pixels filled")
    return figure


def footprint_viewer(
    *,
    primary: str = "p",
    xmax: float = 750.0,
    core_x: float = 0.0,
    core_y: float = 0.0,
    seed: int = 1,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
) -> None:
    """Show one shower with sliders for all that `draw_shower` takes.

    Parameters
    ----------
    primary, xmax, core_x, core_y, seed, model
        Of the shower that shows first, as for `draw_shower`.
    """

    def draw(**values: Any) -> Figure:
        return draw_shower(**values, model=model)

    with_sliders(
        draw,
        primary=Choice("primary", primary, {name: name for name in showers.MASS_NUMBERS}),
        xmax=Slider("Xmax [g/cm²]", xmax, 600, 1000, 10),
        core_x=Slider("core x [m]", core_x, -300, 300, 10),
        core_y=Slider("core y [m]", core_y, -300, 300, 10),
        seed=Slider("seed", seed, 1, 50, 1),
    )
