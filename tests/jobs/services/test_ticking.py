from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import registry
from jobs.models import TickLease
from jobs.services import ticking

pytestmark = pytest.mark.django_db


@pytest.fixture
def periodic(monkeypatch):
    monkeypatch.setattr(registry, "PERIODIC", {})
    return registry.register_periodic


def test_it_lets_one_scheduler_lead():
    assert ticking.take("first")
    assert ticking.take("first")
    assert not ticking.take("second")
    ticking.release("first")
    assert ticking.take("second")


def test_it_takes_over_from_a_scheduler_that_is_silent():
    ticking.take("first")
    TickLease.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=60))
    assert ticking.take("second")
    assert not ticking.take("first")


def test_it_calls_what_is_due_and_only_that(periodic):
    calls = []
    periodic("often", 2.0, lambda: calls.append("often"))
    periodic("seldom", 10.0, lambda: calls.append("seldom"))
    due: dict[str, float] = {}
    for now in (100.0, 101.0, 102.0, 104.0, 110.0):
        ticking.run_due(due, now)
    assert calls == ["often", "seldom", "often", "often", "often", "seldom"]


def test_it_goes_on_when_one_piece_of_work_fails(periodic, caplog):
    calls = []

    def fail():
        raise RuntimeError("no")

    periodic("broken", 1.0, fail)
    periodic("sound", 1.0, lambda: calls.append(1))
    assert ticking.run_due({}, 0.0) == ["broken", "sound"]
    assert calls == [1]
    assert "periodic work broken failed" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_it_runs_until_told_to_stop_and_gives_the_lease_back(periodic):
    stop = threading.Event()
    periodic("once", 1.0, stop.set)
    led = []
    ticking.run(stop, on_lead=lambda: led.append(True))
    assert led == [True]
    assert not TickLease.objects.exists()


def test_it_refuses_two_kinds_under_one_name(periodic):
    periodic("same", 1.0, print)
    periodic("same", 1.0, print)
    with pytest.raises(ValueError, match="'same' is registered twice"):
        periodic("same", 1.0, repr)
