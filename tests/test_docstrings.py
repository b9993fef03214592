"""The examples in the docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import showertools

MODULES = sorted(module.name for module in pkgutil.iter_modules(showertools.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"showertools.{name}")
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failed == 0
