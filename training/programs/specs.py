"""What all programs share: reading a spec strictly, saying errors in a sentence, telling progress."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from jobs import program
from training.distributed import faults

SPEC_VERSION = 1


class Spec:
    """Mixin of a frozen keyword-only dataclass that is a program's spec."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The spec in a JSON object.

        Raises:
            ValueError: a field that is missing or unknown, another spec version, or a value the spec refuses.
        """
        entries = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(set(data) - set(entries)):
            raise ValueError(f"a {cls.__name__} has no {', '.join(unknown)}: expected {', '.join(entries)}")
        needed = {
            name
            for name, entry in entries.items()
            if entry.default is MISSING and entry.default_factory is MISSING
        }
        if missing := sorted(needed - set(data)):
            raise ValueError(f"a {cls.__name__} needs {', '.join(missing)}")
        if data.get("spec_version", SPEC_VERSION) != SPEC_VERSION:
            raise ValueError(
                f"found spec version {data['spec_version']}, expected {SPEC_VERSION}: "
                "the program is of another release than the spec"
            )
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain values; `from_json` reads it back."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]


def check_labels(labels: list[str]) -> None:
    """Two or more different ids.

    Raises:
        ValueError: fewer, or one of them twice.
    """
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise ValueError(f"found the labels {labels[:5]}, expected two or more different ids")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """`low <= value <= high`.

    Raises:
        ValueError: outside, NaN among it.
    """
    if not low <= value <= high:
        raise ValueError(f"{name}: found {value}, expected {low} to {high}")


def steps_for(items: int, *, epochs: float, batch_size: int, max_steps: int | None) -> int:
    """Optimiser steps for so many items: `max_steps`, or as many as `epochs` passes take; 1 at least."""
    if max_steps is not None:
        return max_steps
    return max(1, math.ceil(epochs * math.ceil(items / batch_size) - 1e-9))


@contextmanager
def clear_errors(data: dict[str, Any]) -> Iterator[None]:
    """Inside, what bad input and a full disk raise becomes `program.Refused` with one sentence."""
    try:
        yield
    except Exception as error:  # libraries have kinds of their own for a full disk; what is not known goes on
        if sentence := faults.out_of_space(error, Path(str(data.get("result", ".")))):
            raise program.Refused(sentence) from error
        if isinstance(error, (ValueError, FileNotFoundError, pa.ArrowException)):
            where = traceback.extract_tb(error.__traceback__)[-1]
            program.log(f"refused at {where.filename}:{where.lineno}")
            raise program.Refused(str(error)) from error
        raise


class Progress:
    """Says at most twice a second how far a program is, `before` items having been done in earlier blocks."""

    def __init__(self, before: int, total: int, what: str) -> None:
        self.before, self.total, self.what = before, total, what
        self.told = 0.0

    def __call__(self, done: int, _block: int) -> None:
        now, so_far = time.monotonic(), self.before + done
        if now - self.told >= 0.5 or so_far == self.total:
            self.told = now
            program.progress(so_far, self.total, f"{self.what} {so_far} of {self.total}")
