"""Where a run's figures go besides the run page: event files for TensorBoard, and MLflow where that is set.

Told here, from what the job stores, and not by the programs: so every learner is told of alike, by one process,
and a program needs no network. What goes wrong here is logged once and costs a run nothing.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from django.conf import settings

from annotation.models import Project
from training.models import TrainingRun
from training.selectors import curves as reads

_OMITTED = ("eta_s",)  # of the machine's day, not of the model
_TAG = "gyre.run"

Log = Callable[[str], None]


class Sink(Protocol):
    def add(self, step: int, values: Mapping[str, float]) -> None: ...

    def end(self, *, is_done: bool) -> None: ...


class Curve:
    """The figures of one attempt at a run, as a context.

    Args:
        name: of its folder of event files. key: the same for every attempt. told: settings, which MLflow shows
            beside.
    """

    def __init__(
        self, project: Project, name: str, *, key: str, told: Mapping[str, Any], log: Log = print
    ) -> None:
        self.log = log
        self.sinks: dict[str, Sink] = {"TensorBoard": TensorBoard(reads.folder_of(project, name))}
        if uri := settings.TRAINING_MLFLOW_URI:
            self._try("MLflow", lambda: self.sinks.update(MLflow=_Mlflow(uri, project.slug, name, key, told)))

    def __enter__(self) -> Curve:
        return self

    def point(self, step: int, values: Mapping[str, Any]) -> None:
        """Figures at a step; what is no finite number is left out."""
        numbers = {
            name: float(value)
            for name, value in values.items()
            if name not in _OMITTED
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
        }
        for name, sink in list(self.sinks.items()):
            if numbers and not self._try(name, lambda sink=sink: sink.add(step, numbers)):  # type: ignore[misc]
                del self.sinks[name]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, sink in self.sinks.items():
            self._try(name, lambda sink=sink: sink.end(is_done=kind is None))  # type: ignore[misc]

    def _try(self, name: str, tell: Callable[[], Any]) -> bool:
        try:
            tell()
        except Exception as error:  # a full disk, a server that is away: anything but the run's own
            self.log(f"{name} was not told ({type(error).__name__}: {error}): the run goes on without it")
            return False
        return True


def of_run(run: TrainingRun, log: Log) -> Curve:
    """A training run's."""
    return Curve(
        run.project, reads.name_of(run), key=str(run.uuid), told=run.spec.get("settings", {}), log=log
    )


class TensorBoard:
    """An event file in a folder, made when the first point comes. Every point is on disk at once: tensorboardX's
    own SummaryWriter would hand it to a thread.
    """

    def __init__(self, folder: Path) -> None:
        import tensorboardX.event_file_writer  # noqa: F401  now, and not while a run's first lines wait

        self.folder = folder
        self.writer: Any = None
        self.last: dict[str, int] = {}  # step of the newest point, by name

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Figures at a step. One that is known from that step on takes back all that lies there, and so does the
        first of a new attempt: a record tells TensorBoard to forget, so that no step has two values.
        """
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import scalar

        now = time.time()
        is_first = self.writer is None
        if self.writer is None:
            self.writer = self._opened()
        if is_first or any(self.last.get(name, -1) >= step for name in values):
            again = SessionLog(status=SessionLog.START)
            self.writer.write_event(Event(wall_time=now, step=step, session_log=again))
            self.last = {name: min(last, step - 1) for name, last in self.last.items()}
        for name, value in values.items():
            self.writer.write_event(Event(wall_time=now, step=step, summary=scalar(name, value)))
        self.writer.flush()
        self.last |= dict.fromkeys(values, step)

    def _opened(self) -> Any:
        from tensorboardX.event_file_writer import EventsWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(list(self.folder.iterdir()))  # TensorBoard reads files in the order of their names
        return EventsWriter(str(self.folder / "events"), f".{number:04d}")

    def end(self, *, is_done: bool) -> None:
        if self.writer is not None:
            self.writer.close()


class _Mlflow:
    """A run of MLflow for all attempts at ours: found by its tag. A figure that it has of a step stands, since
    MLflow would draw both.
    """

    def __init__(self, uri: str, experiment: str, name: str, key: str, told: Mapping[str, Any]) -> None:
        # A server that is away would hold a run up for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        import mlflow

        self.client = mlflow.MlflowClient(tracking_uri=uri)
        held = self.client.get_experiment_by_name(experiment)
        number = held.experiment_id if held else self.client.create_experiment(experiment)
        found = self.client.search_runs([number], filter_string=f"tags.`{_TAG}` = '{key}'", max_results=1)
        if found:
            self.run = found[0].info.run_id
            self.client.update_run(self.run, status="RUNNING")
        else:
            self.run = self.client.create_run(number, run_name=name, tags={_TAG: key}).info.run_id
            for setting, value in told.items():
                self.client.log_param(self.run, setting, value)
        self.last: dict[str, int] = {}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if name not in self.last:
                history = self.client.get_metric_history(self.run, name)
                self.last[name] = max((point.step for point in history), default=-1)
            if step > self.last[name]:
                self.client.log_metric(self.run, name, value, step=step)
                self.last[name] = step

    def end(self, *, is_done: bool) -> None:
        self.client.set_terminated(self.run, status="FINISHED" if is_done else "FAILED")
