"""Full or quick: how large a lesson runs.

The environment variable `SHOWERTOOLS_PROFILE` is `full` (the default: what the lesson's text and figures refer to) or
`quick` (the same code on less, for tests). A lesson names both sizes where it uses one, so that a reader sees both.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "SHOWERTOOLS_PROFILE"


def name() -> str:
    """Return the name of the profile: `'full'` or `'quick'`.

    Raises
    ------
    ValueError
        If the environment variable `SHOWERTOOLS_PROFILE` is anything else.
    """
    value = os.environ.get(VARIABLE, "full")
    if value not in {"full", "quick"}:
        raise ValueError(f"`{VARIABLE}` should be 'full' or 'quick'. Received: {value!r}")
    return value


def pick(*, full: T, quick: T) -> T:
    """Return the value of a size that belongs to the profile.

    Parameters
    ----------
    full : object
        The value at full size.
    quick : object
        The value in the quick profile.

    Returns
    -------
    object
        `full` or `quick`.

    Examples
    --------
    >>> n_showers = pick(full=40_000, quick=2_000)
    """
    return full if name() == "full" else quick
