"""Checks of a lesson's tasks: one line tells whether a task is solved, still open, or what is wrong with it.

A check never stops *Run all*: what goes wrong inside it becomes a line of text. Where `SHOWERTOOLS_STRICT=1` is set, as
all tests of the course do, it raises instead.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

STRICT = "SHOWERTOOLS_STRICT"

_outcomes: dict[str, bool] = {}
"""Whether the last check of each task passed, in the order in which the checks ran."""

_stand_ins: dict[str, Any] = {}
"""The functions that `solved` handed out in place of a learner's own, by the name of the learner's."""


def check(name: str) -> _Check:
    """Check a task: a context in which each failing assert becomes one line with its hint.

    Parameters
    ----------
    name : str
        The task's name, as its heading has it.

    Returns
    -------
    context manager
        It prints that the task is correct, still open (its stub raises `NotImplementedError`, or an answer is still
        `...`), or not yet right, with the message of the failing assert as a hint. Any other error inside is named in
        one line too. With the environment variable `SHOWERTOOLS_STRICT=1` the error is raised instead: an
        `AssertionError` for a wrong answer, `NotImplementedError` for an open one.

    Examples
    --------
    >>> with check("Task 1"):
    ...     assert 1 + 1 == 2, "Did you carry?"
    Task 1: correct.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"`name` should be the name of a task, such as 'Task 1'. Received: {name!r}")
    return _Check(name)


def solved(yours: T, *, otherwise: T, task: str | None = None) -> T:
    """Return the learner's answer if the task is solved, else ours, saying so: a lesson goes on either way.

    Parameters
    ----------
    yours : callable or object
        The learner's function, class or value.
    otherwise : callable or object
        What the lesson goes on with while the task is not solved.
    task : str, optional
        The name of the task whose check decides; by default the check that ran last. Where no check has run, an answer
        counts as solved if it is not open.

    Returns
    -------
    callable or object
        `yours` if the check passed and the answer is not open: a function that does nothing but raise
        `NotImplementedError` is open, and so are `...` and `None`. Otherwise `otherwise`.

    Examples
    --------
    >>> def twice(x):
    ...     raise NotImplementedError
    >>> twice = solved(twice, otherwise=lambda x: 2 * x, task="Task 7")
    Task 7 is open: the lesson goes on with its own `twice`.
    >>> twice(4)
    8
    """
    if task is None and _outcomes:
        task = next(reversed(_outcomes))
    passed = task is None or _outcomes.get(task, True)
    stood_in = next((name for name, value in _stand_ins.items() if value is yours), "")  # this cell runs once more
    is_open = bool(stood_in) or _is_open(yours)
    if passed and not is_open:
        return yours
    name = stood_in or str(getattr(yours, "__name__", ""))
    own = f"its own `{name}`" if name.isidentifier() else "its own answer"
    print(f"{task or 'This task'} is {'open' if is_open else 'not solved yet'}: the lesson goes on with {own}.")
    if name.isidentifier() and callable(otherwise):
        _stand_ins[name] = otherwise
    return otherwise


def is_strict() -> bool:
    """Return whether a check raises instead of printing: `SHOWERTOOLS_STRICT` is set, and not to 0."""
    return os.environ.get(STRICT, "0") not in {"", "0"}


class _Check:
    def __init__(self, name: str) -> None:
        self._name = name
        self._frame: FrameType | None = None

    def __enter__(self) -> None:
        self._frame = sys._getframe(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        frame, self._frame = self._frame, None
        if error is not None and not isinstance(error, Exception):  # an interrupt goes through
            return False
        answers = _answers(frame) if frame is not None else {}
        line, stop = self._verdict(error, traceback, answers)
        _outcomes.pop(self._name, None)  # so that the check that ran last stands last
        _outcomes[self._name] = stop is None
        if stop is not None and is_strict():
            if stop is error:
                return False
            raise stop
        print(f"{self._name}: {line}")
        return True

    def _verdict(
        self, error: Exception | None, traceback: TracebackType | None, answers: dict[str, Any]
    ) -> tuple[str, Exception | None]:
        """Return the line to print and the error to raise where checks are strict."""
        stand_in = next((name for name, own in _stand_ins.items() if answers.get(name) is own), None)
        if stand_in is not None:
            line = f"still open. `{stand_in}` is the lesson's own for now: write yours, run its cell, then check again."
            return line, NotImplementedError(line)
        if any(value is ... for value in answers.values()) or (error is not None and _comes_from_stub(error)):
            return "still open.", error if isinstance(error, NotImplementedError) else NotImplementedError("still open")
        if error is None:
            return "correct.", None
        if isinstance(error, AssertionError):
            return f"not yet. {_hint(error, traceback)}", error
        what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
        return f"not yet. Your code stopped with {what}. Look into it.", error


def _hint(error: AssertionError, traceback: TracebackType | None) -> str:
    hint = " ".join(str(error).split())
    if hint or traceback is None:
        return hint or "The result is not what the task asks for."
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    source = linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno).strip()
    return f"This does not hold: {source}" if source else "The result is not what the task asks for."


def _comes_from_stub(error: BaseException) -> bool:
    """Return whether an error goes back to a stub; libraries raise `NotImplementedError` too, but with a message."""
    if isinstance(error, AssertionError):
        return False
    seen: BaseException | None = error
    while seen is not None:
        message = str(seen).strip()
        if isinstance(seen, NotImplementedError) and (not message or message.endswith("NotImplementedError:")):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _answers(frame: FrameType) -> dict[str, Any]:
    """Return the variables that the code of a check uses."""
    names = {name for code in _codes(frame.f_code) for name in (*_loaded(code), *code.co_varnames)}
    scope = {**frame.f_globals, **frame.f_locals}
    return {name: scope[name] for name in sorted(names) if name in scope}


def _loaded(code: CodeType) -> Iterator[str]:
    """Yield the global names that code reads; `co_names` would hold its attributes, too, and the `f` of `module.f`."""
    return (step.argval for step in dis.get_instructions(code) if step.opname in {"LOAD_NAME", "LOAD_GLOBAL"})


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_open(value: object) -> bool:
    """Return whether an answer has not been written: `...`, `None`, a stub, or a class with a stub for a method."""
    if value is None or value is ...:
        return True
    if isinstance(value, type):
        return any(_is_stub(member) for member in vars(value).values())
    return _is_stub(value)


def _is_stub(value: object) -> bool:
    """Return whether a function can only raise `NotImplementedError`, whatever its arguments are."""
    function: Any = getattr(value, "__func__", value)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "RAISE_VARARGS":
            return before is not None and before.argval == "NotImplementedError"
        if instruction.opcode in {*dis.hasjrel, *dis.hasjabs} or instruction.opname.startswith("RETURN_"):
            return False
        before = instruction
    return False
