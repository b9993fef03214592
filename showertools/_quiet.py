"""Keep TensorFlow's start-up messages from being the first thing a learner reads.

TensorFlow says on each start, on the file descriptor of stderr, that it found no GPU and which instructions it could
use. A part of that comes before its own `TF_CPP_MIN_LOG_LEVEL` is heeded. So the import of `tensorflow`, whoever does
it, runs with stderr going through a filter that drops the known messages and lets everything else through. The filter
is a process of its own: what TensorFlow says before it crashes is shown too. Errors of Python are not touched.

Later, one warning is dropped: that functions are traced again and again, which TensorFlow says of a lesson that asks
one network after the other.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.util
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType

CHATTER = (
    "All log messages before absl::InitializeLog",
    "oneDNN custom operations are on",
    "Could not find cuda drivers on your machine",
    "This TensorFlow binary is optimized to use available CPU instructions",
    "To enable the following instructions:",
    "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    "failed call to cuInit: UNKNOWN ERROR (303)",
    "failed call to cuInit: CUDA_ERROR_NO_DEVICE",
    "Unable to register cuFFT factory",
    "Unable to register cuDNN factory",
    "Unable to register cuBLAS factory",
    "computation placer already registered",
)
"""Parts of the lines that are dropped while TensorFlow is imported. None is an error on a machine without GPU."""

_FILTER = """
import sys
chatter = [words.encode() for words in sys.argv[1:]]
for line in sys.stdin.buffer:
    if not any(words in line for words in chatter):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


def install() -> None:
    """Quieten the import of TensorFlow that is still to come, unless `TF_CPP_MIN_LOG_LEVEL` asks for its messages."""
    # tqdm says this where ipywidgets is not installed, and then draws its bar as text: no reason to worry a learner
    warnings.filterwarnings("ignore", message="IProgress not found")
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") in {"0", "1"}:
        return
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds `tensorflow` as the other finders do, and wraps what runs when it is imported."""

    def __init__(self) -> None:
        self._searching = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != "tensorflow" or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            # An attribute of this one loader: it stays of the type that importlib.resources knows.
            spec.loader.exec_module = functools.partial(_run_quietly, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _run_quietly(exec_module: Callable[[ModuleType], None], module: ModuleType) -> None:
    with filtered_stderr():
        exec_module(module)
        # The first look for a GPU has messages of its own; it costs nothing to look now.
        module.config.list_physical_devices()
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


@contextmanager
def filtered_stderr() -> Iterator[None]:
    """Send what is written to the file descriptor of stderr through the filter, while the context is open."""
    if sys.stderr is None or not sys.executable:  # closed, as for pythonw; or Python inside another program
        yield
        return
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # sys.stderr leads elsewhere, and what would be filtered is closed
        yield
        return
    try:
        command = [sys.executable, "-I", "-S", "-c", _FILTER, *CHATTER]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    except (OSError, ValueError):  # no process may be started: better loud than broken
        os.close(original)
        yield
        return
    assert child.stdin is not None
    os.dup2(child.stdin.fileno(), 2)
    child.stdin.close()
    try:
        yield
    finally:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
        with suppress(subprocess.TimeoutExpired):  # if something that TensorFlow started still holds the pipe: let it
            child.wait(timeout=10)
