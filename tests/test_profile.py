import pytest

from showertools import profile


def test_full_is_the_default(monkeypatch):
    monkeypatch.delenv("SHOWERTOOLS_PROFILE", raising=False)
    assert profile.name() == "full"
    assert profile.pick(full=40_000, quick=2_000) == 40_000


def test_quick(monkeypatch):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", "quick")
    assert profile.name() == "quick"
    assert profile.pick(full=40_000, quick=2_000) == 2_000


@pytest.mark.parametrize("value", ["x", "", "FULL"])
def test_anything_else_is_an_error(monkeypatch, value):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", value)
    with pytest.raises(ValueError, match=f"`SHOWERTOOLS_PROFILE` should be 'full' or 'quick'. Received: '{value}'"):
        profile.pick(full=1, quick=2)
