"""Makes the notebooks of a lesson from its source: the exercise, and the solution with its figures.

    python notebooks/build.py --lesson 32

runs the source at full size and stores both. Where only text has changed, `--no-execute` keeps the stored outputs.
`--check` writes nothing and fails if a stored notebook is not what its source gives.
"""

from __future__ import annotations

import argparse
import ast
import sys
import time
from pathlib import Path

import nbformat
from execution import ExecutionError, execute, tidy
from generate import exercise, solution, to_text, without_outputs, write_text
from lesson import NOTEBOOKS, SOURCES, Lesson, LessonError, lesson_paths, read_lesson
from nbformat import NotebookNode


def main(arguments: list[str] | None = None) -> int:
    """Build the lessons that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description="Make exercise and solution notebooks from notebooks/source.")
    parser.add_argument("--lesson", metavar="32", help="number of the lesson; by default all of them")
    parser.add_argument("--no-execute", action="store_true", help="keep the stored outputs: only text has changed")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a notebook is out of date")
    options = parser.parse_args(arguments)
    try:
        for path in lesson_paths(options.lesson or None, SOURCES):
            if options.check:
                check(path, NOTEBOOKS)
            else:
                build(path, NOTEBOOKS, run=not options.no_execute)
    except (LessonError, ExecutionError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The notebooks are what they were before.", file=sys.stderr)
        return 130
    return 0


def build(path: Path, folder: Path, *, run: bool = True) -> None:
    """Make both notebooks of a lesson.

    Parameters
    ----------
    path : pathlib.Path
        The lesson's source.
    folder : pathlib.Path
        Where the exercise goes; the solution goes to its folder `solutions`.
    run : bool
        Execute the lesson at full size; otherwise keep the stored outputs, which works while no code has changed.

    Raises
    ------
    LessonError, ExecutionError
        If the source or a cell is at fault. Both notebooks are then what they were before; what ran is kept in `runs/`.
    """
    start = time.perf_counter()
    lesson = read_lesson(path)
    exercise(lesson, None)  # faults of the source show before the long run
    solved = solution(lesson)
    stored = folder / "solutions" / f"{lesson.name}.ipynb"
    if run:
        print(f"{lesson.name}: running at full size", flush=True)
        try:
            execute(solved, folder=folder, profile="full", show_progress=True)
            tidy(solved)
        except ExecutionError as error:
            aside = folder.parent / "runs" / f"{lesson.name}_refused.ipynb"
            aside.parent.mkdir(exist_ok=True)
            nbformat.write(solved, aside)
            raise ExecutionError(f"{error}\n\nWhat ran is kept in {aside}.") from None
    else:
        copy_outputs(lesson, read_notebook(stored), solved)
    task_notebook = to_text(exercise(lesson, solved))
    write_text(stored, to_text(solved))
    write_text(folder / f"{lesson.name}.ipynb", task_notebook)
    print(f"{lesson.name}: exercise and solution written, {time.perf_counter() - start:.0f} s", flush=True)


def read_notebook(path: Path) -> NotebookNode:
    """Read a stored notebook, or say how to make it."""
    if not path.exists():
        raise LessonError(
            f"{path.stem}: {path.name} is not there yet. Run: make build LESSON={path.stem.split('_')[0]}"
        )
    return nbformat.read(path, as_version=4)


def copy_outputs(lesson: Lesson, stored: NotebookNode, fresh: NotebookNode) -> None:
    """Copy outputs and execution counts from a stored solution into a fresh one with the same code."""
    old, new = ([cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (stored, fresh))
    if [_code(cell) for cell in old] != [_code(cell) for cell in new]:
        raise LessonError(f"{lesson.name}: its code has changed. Run: make build LESSON={lesson.name.split('_')[0]}")
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count


def _code(cell: NotebookNode) -> str:
    """Return what a cell does, without its comments and line breaks."""
    return "colab" if "colab" in cell.metadata.get("tags", ()) else ast.dump(ast.parse(cell.source))


def check(path: Path, folder: Path) -> None:
    """Raise `LessonError` if the stored notebooks of a lesson are not what its source gives."""
    lesson = read_lesson(path)
    stored = {
        "solution": read_notebook(folder / "solutions" / f"{lesson.name}.ipynb"),
        "exercise": read_notebook(folder / f"{lesson.name}.ipynb"),
    }
    fresh = {"solution": solution(lesson), "exercise": exercise(lesson, stored["solution"])}
    for kind, notebook in fresh.items():
        if without_outputs(notebook) != without_outputs(stored[kind]):
            number = lesson.name.split("_")[0]
            raise LessonError(
                f"{lesson.name}: the {kind} is not what its source gives. Run: make build LESSON={number}"
            )


if __name__ == "__main__":
    sys.exit(main())
