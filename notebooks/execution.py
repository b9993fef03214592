"""Runs a notebook cell by cell, shows how far it is, and tidies what the cells print."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"
_BAR = re.compile(r"\d+%\||\d+it \[|\r")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
UNWANTED = {
    "a path of this machine": re.compile(r"(?<![\w.:/])/(?:root|home|Users|tmp|work|var|opt|usr)/|[A-Z]:\\Users\\"),
    "a warning": re.compile(r"\w*Warning\b"),
    "an error": re.compile(r"Traceback \(most recent call last\)"),
    "a memory address, which changes with each run": re.compile(r"\bat 0x[0-9a-f]{6,}"),
}
"""What no stored output may hold."""


class ExecutionError(RuntimeError):
    """A cell failed, or left an output that may not be stored."""


def kernel_environment(profile: str, *, strict: bool) -> dict[str, str]:
    """Return the environment variables of a kernel: those of this process, the profile, and whether checks raise."""
    environment = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}  # figures are inline
    environment |= {"SHOWERTOOLS_PROFILE": profile, "SHOWERTOOLS_STRICT": "1" if strict else "0"}
    return environment | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def execute(
    notebook: NotebookNode,
    *,
    folder: Path,
    profile: str,
    strict: bool = True,
    show_progress: bool = False,
    timeout: float | None = None,
) -> dict[int, float]:
    """Execute a notebook in place.

    Parameters
    ----------
    notebook : NotebookNode
        Its cells get outputs and execution counts; if a cell fails, those before it keep theirs.
    folder : pathlib.Path
        The working folder of the kernel.
    profile : str
        `full` or `quick`.
    strict : bool
        Whether a check that fails raises.
    show_progress : bool
        Print one line a cell.
    timeout : float, optional
        Seconds that a cell may take; by default as long as it likes.

    Returns
    -------
    dict of int to float
        The seconds that each code cell took, by its position.

    Raises
    ------
    ExecutionError
        If a cell fails; it says which, its source and the error.
    """
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this interpreter, not one of the user's
    client = NotebookClient(
        notebook, timeout=timeout, kernel_name="python3", record_timing=False, resources={"metadata": {"path": folder}}
    )
    client.reset_execution_trackers()
    seconds: dict[int, float] = {}
    environment = kernel_environment(profile, strict=strict)
    # What the kernel says of itself is only of interest if it dies; what cells write to stderr is among their outputs.
    with tempfile.TemporaryFile() as words, client.setup_kernel(env=environment, stderr=words):
        for number, (index, heading) in enumerate(steps := list(_code_cells(notebook)), start=1):
            with _progress(f"[{number:2d}/{len(steps)}] {heading}", show=show_progress):
                start = time.perf_counter()
                try:
                    _execute_cell(client, notebook.cells[index], index, heading)
                except DeadKernelError as error:
                    words.seek(0)
                    last = words.read().decode(errors="replace")[-2000:]
                    raise ExecutionError(
                        f"The kernel died in {_where(index, heading)}: out of memory?\n\n{last}"
                    ) from error
                seconds[index] = time.perf_counter() - start
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("widgets", None)
    return seconds


def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int, heading: str) -> None:
    where = _where(index, heading)
    source = "\n".join(f"    {line}" for line in cell.source.splitlines())
    try:
        client.execute_cell(cell, index)
    except CellExecutionError as error:
        traceback = _ANSI.sub("", error.traceback).strip()
        raise ExecutionError(f"{where} failed. {traceback}") from None  # it holds the source too
    except CellTimeoutError:
        raise ExecutionError(f"{where} took longer than {client.timeout:.0f} s.\n\n{source}") from None
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would report the cell that nobody waits for now
        raise


def _where(index: int, heading: str) -> str:
    return f"Cell {index + 1} (under “{heading}”)"


def _code_cells(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield the position of each code cell, and the heading it stands under."""
    heading = "Start"
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ (.+)$", cell.source, flags=re.MULTILINE)
            heading = headings[-1] if headings else heading
        elif cell.cell_type == "code":
            yield index, heading


@contextmanager
def _progress(line: str, *, show: bool) -> Iterator[None]:
    start = time.perf_counter()
    if show:
        print(f"{line:<64}", end="", flush=True)
    try:
        yield
    except BaseException:
        if show:
            print(" stopped", flush=True)
        raise
    if show:
        print(f" {time.perf_counter() - start:6.1f} s", flush=True)


def tidy(notebook: NotebookNode) -> None:
    """Tidy the outputs in place: no widgets and progress bars, streams joined, no metadata.

    Raises
    ------
    ExecutionError
        If an output may not be stored: an error, a warning, something else on stderr, a path of this machine.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        outputs: list[NotebookNode] = []
        for output in cell.outputs:
            _add_output(outputs, output)
        cell.outputs = outputs
        faults = find_faults(cell)
        if faults:
            raise ExecutionError(f"Cell {index + 1} may not be stored: it shows {faults[0]}\n\n{cell.source}")


def _add_output(outputs: list[NotebookNode], output: NotebookNode) -> None:
    if WIDGET in output.get("data", {}):
        return
    if output.output_type == "stream":
        if output.name == "stderr" and _BAR.search(output.text) and not UNWANTED["a warning"].search(output.text):
            return
        output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in output.text.replace("\r\n", "\n").split("\n"))
        if outputs and outputs[-1].output_type == "stream" and outputs[-1].name == output.name:
            outputs[-1].text += output.text
            return
    if "metadata" in output:
        output.metadata = NotebookNode()
    outputs.append(output)


def find_faults(cell: NotebookNode) -> list[str]:
    """Return what is wrong with the outputs of a cell, in words."""
    faults = []
    for output in cell.outputs:
        if output.output_type == "error":
            faults.append(f"an error: {output.ename}: {output.evalue}")
            continue
        texts = [output.get("text", "")] + [
            value for kind, value in output.get("data", {}).items() if kind.startswith("text/")
        ]
        text = "\n".join(texts)
        faults += [
            f"{what}: {_line(text, found)}" for what, pattern in UNWANTED.items() if (found := pattern.search(text))
        ]
        if output.get("name") == "stderr" and not faults:
            faults.append(f"text on stderr: {text.strip()[:200]}")
    return faults


def _line(text: str, found: re.Match[str]) -> str:
    start = text.rfind("\n", 0, found.start()) + 1
    return text[start : start + 200].split("\n")[0]
