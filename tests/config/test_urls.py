from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

HEAVY = ("torch", "transformers", "faiss", "sentence_transformers")


@pytest.mark.slow
def test_it_loads_no_model_library_to_serve_pages(tmp_path: Path):
    """A web process must stay small and start fast; model code runs in programs."""
    code = (
        "import json, sys, django; django.setup();"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "import config.wsgi;"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "TEST_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.slow
@pytest.mark.django_db
def test_it_has_a_migration_for_every_change_of_a_model():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.django_db
def test_it_says_that_it_is_well(client):
    answer = client.get(reverse("healthz"))
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_it_sends_a_strict_content_security_policy(client):
    policy = client.get(reverse("accounts:login"))["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.slow
@pytest.mark.django_db
def test_it_describes_the_api_without_a_warning(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull)


@pytest.mark.django_db
def test_it_shows_the_api_page(admin_client):
    page = admin_client.get(reverse("api-docs")).content.decode()
    assert "swagger-ui" in page
    assert "cdn" not in page


def test_the_page_of_the_api_has_no_inline_style_or_script(client, django_user_model, db):
    client.force_login(django_user_model.objects.create_user("somebody"))
    html = client.get("/api/docs/").content.decode()
    assert "swagger-ui.css" in html
    assert "<style" not in html
    assert "<script>" not in html
