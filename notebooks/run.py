"""Runs the solution of a lesson and keeps its figures: `python notebooks/run.py --lesson 32`.

The executed notebook and the figures go to `runs/<lesson>/`; the course's own notebooks are not touched.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from pathlib import Path

from execution import ExecutionError, execute
from generate import solution, to_text, write_text
from lesson import NOTEBOOKS, ROOT, SOURCES, LessonError, lesson_paths, read_lesson
from nbformat import NotebookNode

RUNS = ROOT / "runs"


def main(arguments: list[str] | None = None) -> int:
    """Run the lesson that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description="Run the solution of a lesson and keep its figures.")
    parser.add_argument("--lesson", default="32", metavar="32", help="number of the lesson")
    options = parser.parse_args(arguments)
    try:
        for path in lesson_paths(options.lesson, SOURCES):
            run(path, RUNS)
    except (LessonError, ExecutionError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. What had run is kept.", file=sys.stderr)
        return 130
    return 0


def run(path: Path, folder: Path) -> None:
    """Execute a lesson and print its result, and where notebook and figures are.

    Parameters
    ----------
    path : pathlib.Path
        The lesson's source.
    folder : pathlib.Path
        A folder with the lesson's name is made in it.
    """
    start = time.perf_counter()
    lesson = read_lesson(path)
    profile = os.environ.get("SHOWERTOOLS_PROFILE", "full")
    notebook = solution(lesson)
    target = folder / lesson.name
    print(f"Lesson {lesson.name}, {profile} profile", flush=True)
    try:
        execute(notebook, folder=NOTEBOOKS, profile=profile, show_progress=True)
    finally:
        write_text(target / f"{lesson.name}.ipynb", to_text(notebook))
        figures = save_figures(notebook, target)
    for line in results(notebook):
        print(f"\n{line}")
    print(f"\nNotebook  {_relative(target / f'{lesson.name}.ipynb')}")
    print(f"Figures   {_relative(target)}/figure_*.png ({figures})")
    print(f"Time      {time.perf_counter() - start:.0f} s")


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def save_figures(notebook: NotebookNode, folder: Path) -> int:
    """Write each figure of a notebook as `figure_<k>.png`, in place of those of an earlier run; return how many."""
    for old in folder.glob("figure_*.png"):
        old.unlink()
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    for number, picture in enumerate(pictures, start=1):
        (folder / f"figure_{number}.png").write_bytes(base64.b64decode(picture))
    return len(pictures)


def results(notebook: NotebookNode) -> list[str]:
    """Return what the cells tagged `result` have printed."""
    return [
        output.text.rstrip()
        for cell in notebook.cells
        if "result" in cell.metadata.get("tags", ())
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    ]


if __name__ == "__main__":
    sys.exit(main())
