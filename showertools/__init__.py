"""Simulators, limits and helpers for a course on deep learning for air showers.

Import it before TensorFlow or Keras, as the first cell of each lesson does, and TensorFlow's start-up messages stay
quiet; set the environment variable `TF_CPP_MIN_LOG_LEVEL=0` to read them.
"""

from showertools import _quiet

__version__ = "0.1.0"

_quiet.install()
