import doctest
from types import SimpleNamespace

import pytest

from showertools import tasks


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("SHOWERTOOLS_STRICT", raising=False)
    monkeypatch.setattr(tasks, "_outcomes", {})
    monkeypatch.setattr(tasks, "_stand_ins", {})


@pytest.fixture
def strict(monkeypatch):
    monkeypatch.setenv("SHOWERTOOLS_STRICT", "1")


def stub(x):
    """Return twice `x`."""
    raise NotImplementedError


def twice(x):
    return 2 * x


def test_examples_in_docstrings():
    assert doctest.testmod(tasks).failed == 0


def test_correct(capsys):
    with tasks.check("Task 1"):
        assert twice(1) == 2, "unused"
    assert capsys.readouterr().out == "Task 1: correct.\n"


def test_wrong_gives_its_hint_in_one_line(capsys):
    with tasks.check("Task 1"):
        raise AssertionError("Three times,\n  not twice.")  # pytest would add to the message of an assert
    assert capsys.readouterr().out == "Task 1: not yet. Three times, not twice.\n"


def test_wrong_without_a_hint_shows_what_does_not_hold(capsys):
    with tasks.check("Task 1"):
        if twice(1) != 3:
            raise AssertionError
    assert capsys.readouterr().out == "Task 1: not yet. This does not hold: raise AssertionError\n"


def test_open(capsys):
    with tasks.check("Task 1"):
        assert stub(1) == 2, "unused"
    assert capsys.readouterr().out == "Task 1: still open.\n"


def test_open_value(capsys):
    answer = ...
    with tasks.check("Task 1"):
        assert answer == 2, "unused"
    assert capsys.readouterr().out == "Task 1: still open.\n"


def test_stub_behind_another_error_is_open(capsys):
    with tasks.check("Task 1"):
        try:
            stub(1)
        except NotImplementedError as error:
            raise ValueError("the layer failed") from error
    assert capsys.readouterr().out == "Task 1: still open.\n"


def test_a_librarys_own_not_implemented_is_an_error(capsys):
    with tasks.check("Task 1"):
        raise NotImplementedError("Cannot convert a symbolic tensor.")
    out = capsys.readouterr().out
    assert out == (
        "Task 1: not yet. Your code stopped with NotImplementedError: Cannot convert a symbolic tensor. Look into it.\n"
    )


def test_other_errors_are_named_in_one_line(capsys):
    with tasks.check("Task 1"):
        assert None + 1 == 2, "unused"
    out = capsys.readouterr().out
    assert out.startswith("Task 1: not yet. Your code stopped with TypeError: unsupported operand")
    assert out.count("\n") == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_through(stop):
    with pytest.raises(stop), tasks.check("Task 1"):
        raise stop


@pytest.mark.usefixtures("strict")
def test_strict_raises():
    with pytest.raises(AssertionError, match="Three"), tasks.check("Task 1"):
        assert twice(1) == 3, "Three times."
    with pytest.raises(NotImplementedError), tasks.check("Task 1"):
        stub(1)
    with pytest.raises(TypeError), tasks.check("Task 1"):
        len(3)
    answer = ...
    with pytest.raises(NotImplementedError), tasks.check("Task 1"):
        assert answer == 2, "unused"


@pytest.mark.parametrize("value", ["0", ""])
def test_not_strict(monkeypatch, value):
    monkeypatch.setenv("SHOWERTOOLS_STRICT", value)
    assert not tasks.is_strict()


@pytest.mark.parametrize("name", ["", "  ", 3])
def test_a_check_needs_a_name(name):
    with pytest.raises(ValueError, match="`name` should be"):
        tasks.check(name)


def test_solved_returns_yours_after_a_passed_check(capsys):
    with tasks.check("Task 1"):
        assert twice(1) == 2, "unused"
    capsys.readouterr()
    assert tasks.solved(twice, otherwise=stub) is twice
    assert capsys.readouterr().out == ""


def test_solved_returns_ours_after_a_failed_check(capsys):
    with tasks.check("Task 1"):
        assert twice(1) == 3, "No."
    capsys.readouterr()
    assert tasks.solved(twice, otherwise=abs) is abs
    assert capsys.readouterr().out == "Task 1 is not solved yet: the lesson goes on with its own `twice`.\n"


def test_solved_looks_at_the_task_it_is_given(capsys):
    with tasks.check("Task 1"):
        assert twice(1) == 2, "unused"
    with tasks.check("Task 2"):
        assert twice(1) == 3, "No."
    assert tasks.solved(twice, otherwise=abs, task="Task 1") is twice
    assert tasks.solved(twice, otherwise=abs) is abs
    assert "Task 2 is not solved yet" in capsys.readouterr().out


def test_without_a_check_the_answer_alone_decides(capsys):
    assert tasks.solved(twice, otherwise=abs) is twice
    assert tasks.solved(stub, otherwise=abs) is abs
    assert capsys.readouterr().out == "This task is open: the lesson goes on with its own `stub`.\n"


@pytest.mark.parametrize("value", [None, ...])
def test_open_values(capsys, value):
    assert tasks.solved(value, otherwise=3) == 3
    assert capsys.readouterr().out == "This task is open: the lesson goes on with its own answer.\n"


def test_a_class_with_a_stub_is_open():
    class Layer:
        def build(self):
            self.kernel = 1

        def call(self, x):
            raise NotImplementedError

    assert tasks.solved(Layer, otherwise=dict) is dict


def test_a_function_that_can_do_more_than_raise_is_not_open():
    def partly(x):
        if x > 3:
            raise NotImplementedError
        return x

    def above_the_leftover_stub(x):
        return x
        raise NotImplementedError

    def with_message(x):
        raise ValueError(x)

    for function in (partly, above_the_leftover_stub, with_message, len):
        assert tasks.solved(function, otherwise=abs) is function


def test_a_stub_below_given_code_is_open():
    def function(x):
        size = len(x)
        print(size)
        raise NotImplementedError

    assert tasks.solved(function, otherwise=abs) is abs


def test_an_attribute_of_the_same_name_is_not_the_answer(capsys):
    def double(x):
        raise NotImplementedError

    scope = {"tasks": tasks, "module": SimpleNamespace(double=twice)}
    scope["double"] = tasks.solved(double, otherwise=twice, task="Task 1")
    exec("with tasks.check('Task 2'):\n    assert module.double(1) == 2, 'unused'", scope)
    assert capsys.readouterr().out.splitlines()[-1] == "Task 2: correct."


def test_our_function_does_not_pass_for_the_learners(capsys):
    def double(x):
        raise NotImplementedError

    for _ in range(2):  # a learner runs both cells again without a change
        with tasks.check("Task 1"):
            assert double(1) == 2, "unused"
        double = tasks.solved(double, otherwise=lambda x: 2 * x)
    assert double(2) == 4
    assert capsys.readouterr().out.splitlines() == [
        "Task 1: still open.",
        "Task 1 is open: the lesson goes on with its own `double`.",
        "Task 1: still open. `double` is the lesson's own for now: write yours, run its cell, then check again.",
        "Task 1 is open: the lesson goes on with its own `double`.",
    ]
    double = twice
    with tasks.check("Task 1"):
        assert double(1) == 2, "unused"
    assert tasks.solved(double, otherwise=abs) is twice
