from __future__ import annotations

from jobs import registry
from selection.models import Station
from selection.services import steps


def test_what_only_reads_and_writes_does_not_wait_behind_a_training() -> None:
    resources = {station: registry.KINDS[name].resource for station, (name, _function) in steps.KINDS.items()}
    assert {station for station, resource in resources.items() if resource == "io"} == {
        Station.FREEZE,
        Station.PUBLISH,
    }
    assert set(resources.values()) == {"io", "gpu"}
