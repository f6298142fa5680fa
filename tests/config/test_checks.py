from __future__ import annotations

import pytest

from config import checks


def ids(found):
    return [message.id for message in found]


def test_it_finds_nothing_in_the_defaults():
    for check in (checks.data_dir, checks.database, checks.broker, checks.jobs, checks.web):
        assert check() == []


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(
    ("check", "changed", "expected", "words"),
    [
        (checks.data_dir, {"DATA_DIR": "/nowhere/at/all"}, "config.E001", "cannot be written to"),
        (
            checks.database,
            {"DATABASES": {"default": {"ENGINE": "django.db.backends.mysql"}}},
            "config.E002",
            "expected SQLite or PostgreSQL",
        ),
        (checks.broker, {"CELERY_BROKER_URL": "sqs://x"}, "config.E003", "begins with “sqs”"),
        (checks.broker, {"CELERY_BROKER_URL": "localhost:6379"}, "config.E003", "expected redis://"),
        (checks.jobs, {"JOBS_STALE_SECONDS": 1.0}, "config.E004", "expected at least 3"),
        (checks.jobs, {"JOBS_TICK_SECONDS": 0.0}, "config.E005", "expected 0.1 to 60"),
        (checks.jobs, {"WORKER_NICE": 20}, "config.E009", "expected 0 to 19"),
        (checks.web, {"PORT": 0}, "config.E006", "expected 1 to 65535"),
        (checks.web, {"WEB_WORKERS": 0}, "config.E007", "at least 1"),
        (checks.web, {"SECRET_KEY": "short"}, "config.E008", "has 5 characters"),
        (checks.web, {"DEBUG": True, "ALLOWED_HOSTS": ["labels.example.org"]}, "config.W001", "DEBUG is on"),
        (checks.web, {"HOST": "0.0.0.0"}, "config.W002", "ALLOWED_HOSTS names loopback only"),
    ],
)
def test_it_says_what_is_wrong_with_a_setting(settings, check, changed, expected, words):
    for name, value in changed.items():
        setattr(settings, name, value)
    [found] = check()
    assert found.id == expected
    assert words in found.msg
