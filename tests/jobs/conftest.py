"""A kind of job whose function a test gives: `kind(function)` registers it and returns its name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jobs import registry

_numbers = itertools.count(1)


@pytest.fixture
def kind() -> Iterator[Callable[..., str]]:
    names = []

    def register(function: Callable[[Any], Any], **options: Any) -> str:
        name = f"tests.kind_{next(_numbers)}"
        names.append(name)
        registry.register(name, function, label=name, **options)
        return name

    yield register
    for name in names:
        del registry.KINDS[name]
