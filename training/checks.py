"""System checks of the settings of training: what would fail in the middle of a run fails at the start."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from training.distributed import elastic
from training.distributed.shape import pool_share

KNOWN = (
    "TRAINING_GPU_POOL",
    "TRAINING_MLFLOW_URI",
    "TRAINING_NODES",
    "TRAINING_RENDEZVOUS",
    "TRAINING_SECOND_COPY",
)
_PREFIX = "TRAINING_"

Check = Callable[..., Sequence[CheckMessage]]


def _register(check: Check) -> Check:
    register(check)
    return check


@_register
def kinds(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """All of them are text, also a number of machines."""
    return [
        Error(
            f"{name}={value!r} is of type {type(value).__name__}, expected text.",
            hint="Set it in the environment or in .env, where everything is text.",
            id="training.E001",
        )
        for name in KNOWN
        if not isinstance(value := getattr(settings, name), str)
    ]


@_register
def names(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt name is silently without effect."""
    found: list[CheckMessage] = []
    for name in sorted(set(os.environ) | set(dir(settings))):
        if name.startswith(_PREFIX) and name not in KNOWN:
            near = get_close_matches(name, KNOWN, 1, 0.75)
            hint = f"Do you mean {near[0]}?" if near else f"Known are {', '.join(KNOWN)}."
            found.append(
                Warning(f"There is no setting {name}: it has no effect.", hint=hint, id="training.W001")
            )
    return found


@_register
def machines(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every run would fail when it is launched."""
    nodes, endpoint = settings.TRAINING_NODES, settings.TRAINING_RENDEZVOUS
    if not (isinstance(nodes, str) and isinstance(endpoint, str)):
        return []  # `kinds` says so
    host, _colon, port = endpoint.rpartition(":")
    if endpoint and not (host and port.isdecimal() and 1 <= int(port) <= 65535):
        return [
            Error(
                f"TRAINING_RENDEZVOUS={endpoint} is no place to meet, expected host:port.",
                hint="For example trainer1:29400, on the machine that lives longest.",
                id="training.E002",
            )
        ]
    try:
        elastic.launcher(1, nodes=nodes, endpoint=endpoint, run_id="check")
    except ValueError:
        told = (
            "no place to meet is set"
            if nodes.replace(":", "").isdecimal()
            else "that is no number of machines"
        )
        return [
            Error(
                f"TRAINING_NODES={nodes}, but {told}.",
                hint="Use a number or least:most, such as 1:4; for more than one set TRAINING_RENDEZVOUS too.",
                id="training.E003",
            )
        ]
    return []


@_register
def second_copy(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A place that cannot be written costs every second copy, and is told only in a run's log."""
    given = settings.TRAINING_SECOND_COPY
    if not (isinstance(given, str) and given):
        return []
    folder = Path(given)
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if folder.is_absolute() and nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"TRAINING_SECOND_COPY={given} cannot be written to.",
            hint="Name a folder, from / on, where this user may write: on another disk or machine.",
            id="training.E004",
        )
    ]


@_register
def mlflow(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every run would go on without it, and say so in its log alone."""
    if not settings.TRAINING_MLFLOW_URI or find_spec("mlflow") is not None:
        return []
    return [
        Error(
            f"TRAINING_MLFLOW_URI={settings.TRAINING_MLFLOW_URI}, but the package mlflow is not installed.",
            hint="Run `pip install mlflow-skinny` beside Gyre, or remove the setting.",
            id="training.E005",
        )
    ]


@_register
def gpu_pool(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every run would be refused when it begins."""
    given = settings.TRAINING_GPU_POOL
    if not isinstance(given, str):
        return []  # `kinds` says so
    try:
        pool_share(given)
    except ValueError as error:
        hint = "For example 0.8; leave it out where nobody else uses the GPU."
        return [Error(f"{error}.", hint=hint, id="training.E006")]
    return []
