"""The names that ``import rawasgi`` gives, and what stands beside them."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import rawasgi

MODULES = [module.name for module in pkgutil.walk_packages(rawasgi.__path__, "rawasgi.")]


def test_every_name_of_the_door_is_there_and_documented() -> None:
    assert sorted(rawasgi.__all__) == rawasgi.__all__
    for name in rawasgi.__all__:
        assert inspect.getdoc(getattr(rawasgi, name)), name


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_its_examples_hold(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, name
    assert doctest.testmod(module).failed == 0
