"""A lesson's source, read: its cells, its tasks, and what becomes of its code in exercise and solution.

A source is a Python file in jupytext's percent format. CONTRIBUTING.md says how its cells are tagged.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SOURCES = NOTEBOOKS / "source"
SOLUTIONS = NOTEBOOKS / "solutions"

TAGS = {"check", "wrong", "expected", "result"}
BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
STUB = "# stub:"
OPEN_STUB = ("# your code here", "raise NotImplementedError")


class LessonError(ValueError):
    """A lesson's source does not follow the rules."""


@dataclass(frozen=True)
class Cell:
    """A cell of a lesson's source."""

    kind: str
    """`markdown` or `code`"""
    source: str
    tags: tuple[str, ...]
    index: int
    """position in the source, from 0"""


@dataclass(frozen=True)
class Lesson:
    """A lesson's source, read."""

    name: str
    """such as `32_xmax`"""
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Task:
    """The cells of a lesson that belong to one task."""

    solutions: tuple[Cell, ...]
    check: Cell
    wrongs: tuple[Cell, ...]


def lesson_paths(number: str | None = None, folder: Path = SOURCES) -> list[Path]:
    """Return the source of the lesson with this number or name, or of all lessons.

    Parameters
    ----------
    number : str, optional
        A number such as `32`, or a name such as `32_xmax`.
    folder : pathlib.Path
        Where the sources are.

    Returns
    -------
    list of pathlib.Path
        In the order of the lessons.

    Raises
    ------
    LessonError
        If there is no such lesson.
    """
    paths = sorted(folder.glob("[0-9]*_*.py"))
    if number is None:
        return paths
    found = [path for path in paths if number in {path.stem, path.stem.split("_")[0]}]
    if not found:
        there = ", ".join(path.stem for path in paths) or "no lesson yet"
        raise LessonError(f"`lesson` should be the number of a lesson ({there}). Received: {number!r}")
    return found


def read_lesson(path: Path) -> Lesson:
    """Read a lesson's source and check what can be checked without running it."""
    notebook = jupytext.read(path, fmt="py:percent")
    cells = tuple(
        Cell(cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())), index)
        for index, cell in enumerate(notebook.cells)
    )
    lesson = Lesson(path.stem, cells)
    if not cells or cells[0].kind != "markdown" or not cells[0].source.startswith("# "):
        raise LessonError(f"{lesson.name}: the first cell should be markdown and start with the title, '# …'.")
    for cell in cells:
        _check_cell(lesson, cell)
    return lesson


def _check_cell(lesson: Lesson, cell: Cell) -> None:
    where = f"{lesson.name}, cell {cell.index + 1}"
    if cell.kind not in {"markdown", "code"}:
        raise LessonError(f"{where}: a cell should be markdown or code. Received: {cell.kind}")
    unknown = set(cell.tags) - TAGS
    if unknown:
        raise LessonError(f"{where}: tags should be among {', '.join(sorted(TAGS))}. Received: {', '.join(unknown)}")
    if cell.kind == "code":
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            raise LessonError(f"{where}: this is not plain Python (no % or !): {error}") from error
    if "wrong" in cell.tags and hint(cell) is None:
        raise LessonError(f"{where}: a wrong answer should start with a line '# hint: words of the hint'.")


def hint(cell: Cell) -> str | None:
    """Return the words that the check should say to this wrong answer."""
    first = cell.source.splitlines()[0] if cell.source else ""
    return first.removeprefix("# hint:").strip() if first.startswith("# hint:") else None


def has_solution(cell: Cell) -> bool:
    """Return whether a part of the cell is for the learner to write."""
    return cell.kind == "code" and BEGIN in cell.source


def tasks(lesson: Lesson) -> list[Task]:
    """Return the tasks of a lesson: the solutions since the last check, a check, and the wrong answers after it."""
    found: list[Task] = []
    solutions: list[Cell] = []
    for cell in lesson.cells:
        if has_solution(cell):
            solutions.append(cell)
        elif "check" in cell.tags:
            found.append(Task(tuple(solutions), cell, ()))
            solutions = []
        elif "wrong" in cell.tags:
            if not found:
                raise LessonError(f"{lesson.name}, cell {cell.index + 1}: a wrong answer should follow a check.")
            last = found[-1]
            found[-1] = Task(last.solutions, last.check, (*last.wrongs, cell))
    return found


def solution_source(source: str) -> str:
    """Return a cell's code as the solution shows it: without markers and stub lines."""
    lines = source.splitlines()
    return "\n".join(line for line in lines if line.strip() not in {BEGIN, END} and not line.strip().startswith(STUB))


def exercise_source(source: str) -> str:
    """Return a cell's code as the exercise shows it: with a stub in place of each solution.

    Parameters
    ----------
    source : str
        Code with `### BEGIN SOLUTION` and `### END SOLUTION`.

    Returns
    -------
    str
        In a function, the stub raises `NotImplementedError`. Lines `# stub: code` in the region are the stub instead;
        outside a function they are a must, since nothing there may stop *Run all*.

    Raises
    ------
    LessonError
        If the markers do not match, or a region outside a function has no stub line.
    """
    lines: list[str] = []
    region: list[str] | None = None
    for line in source.splitlines():
        marker = line.strip()
        if marker == BEGIN and region is None:
            region, indent = [], line[: len(line) - len(line.lstrip())]
        elif marker == END and region is not None:
            lines += _stub(region, indent)
            region = None
        elif marker in {BEGIN, END}:
            raise LessonError(f"each '{BEGIN}' should be followed by its own '{END}'.")
        elif region is None:
            lines.append(line)
        else:
            region.append(line.strip())
    if region is not None:
        raise LessonError(f"'{BEGIN}' has no '{END}'.")
    stubbed = "\n".join(lines)
    _check_stubs(stubbed)
    return stubbed


def _stub(region: list[str], indent: str) -> list[str]:
    own = [line.removeprefix(STUB).strip() for line in region if line.startswith(STUB)]
    stub = [f"{own[0]}  {OPEN_STUB[0]}", *own[1:]] if own else OPEN_STUB
    return [indent + line for line in stub]


def _check_stubs(source: str) -> None:
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and id(node) not in inside:
            raise LessonError(f"a solution outside a function should hold a line '{STUB} name = ...'.")
