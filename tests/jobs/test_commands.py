from __future__ import annotations

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.models import Job, State
from jobs.services import jobs


@pytest.mark.django_db
def test_check_worker_says_when_no_worker_takes_the_job(monkeypatch):
    with pytest.raises(CommandError, match="no worker took the job within 0.1 s: start one"):
        call_command("check_worker", "--wait", "0.1")
    assert Job.objects.get().state == State.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_check_worker_says_how_long_it_took(capsys):
    def work():
        try:
            while not jobs.drain():
                pass
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    call_command("check_worker", "--wait", "20")
    worker.join()
    assert "the worker works: done after" in capsys.readouterr().out
