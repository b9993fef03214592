"""Runs of a lesson that test its tasks."""

import json
from pathlib import Path

from execution import execute
from generate import exercise, solution
from lesson import NOTEBOOKS, Cell, Lesson, hint, tasks
from nbformat.v4 import new_code_cell

TIMEOUT = 180

TRIAL = """
import json as _json
_error = get_ipython().run_cell({check!r}).error_in_exec
_refused = None if _error is None else f"{{type(_error).__name__}}: {{_error}}"
print("\\n" + _json.dumps({{"trial": {number}, "refused": _refused}}))
"""
"""Code that runs a check on a wrong answer."""


def stdout(cell) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def run_open(lesson: Lesson, folder: Path = NOTEBOOKS) -> tuple[dict[str, str], float]:
    """Run the exercise with every task open; return what each check prints, and the seconds of all cells."""
    notebook = exercise(lesson, None)
    seconds = execute(notebook, folder=folder, profile="quick", strict=False, timeout=TIMEOUT)
    checks = [cell for cell in notebook.cells if "check" in cell.metadata.get("tags", ())]
    return {cell.source.splitlines()[0]: stdout(cell) for cell in checks}, sum(seconds.values())


def refusals(lesson: Lesson, folder: Path = NOTEBOOKS) -> list[tuple[Cell, str | None]]:
    """Run the solution up to the last wrong answer, in one kernel; return what each check says to each wrong answer.

    After each check, every wrong answer takes the solution's place for one more run of it. Then the solution is back.
    Checks are strict: one that does not pass on the solution raises.
    """
    notebook = solution(lesson)
    shown = [cell for cell in lesson.cells if "wrong" not in cell.tags]
    cells = dict(zip((cell.index for cell in shown), (c for c in notebook.cells if "-colab" not in c.id), strict=True))
    trials = {task.check.index: task for task in tasks(lesson) if task.wrongs}
    wrongs: list[Cell] = []
    steps = [cell for cell in notebook.cells if cell.id.endswith("-colab")]
    for cell in shown:
        if cell.kind != "code" or len(wrongs) == sum(len(task.wrongs) for task in trials.values()):
            continue
        steps.append(cells[cell.index])
        if cell.index in trials:
            task = trials[cell.index]
            for wrong in task.wrongs:
                number = len(wrongs)
                wrongs.append(wrong)
                trial = TRIAL.format(check=task.check.source, number=number)
                steps += [new_code_cell(wrong.source), new_code_cell(trial)]
            steps += [new_code_cell(cells[again.index].source) for again in (*task.solutions, task.check)]
    notebook.cells = steps
    execute(notebook, folder=folder, profile="quick", timeout=TIMEOUT)
    lines = [line for cell in notebook.cells for line in stdout(cell).splitlines() if line.startswith('{"trial"')]
    said = {answer["trial"]: answer["refused"] for answer in map(json.loads, lines)}
    return [(wrong, said[number]) for number, wrong in enumerate(wrongs)]


def faults(said: list[tuple[Cell, str | None]]) -> list[str]:
    """Return, in words, which wrong answers were not refused with the hint meant for them."""
    found = []
    for wrong, refused in said:
        words = " ".join((hint(wrong) or "").split())
        if refused is None:
            found.append(f"cell {wrong.index + 1}: the check passes this wrong answer (hint: {words})")
        elif words.lower() not in " ".join(refused.split()).lower():
            found.append(f"cell {wrong.index + 1}: the hint should hold {words!r}. Received: {refused}")
    return found
