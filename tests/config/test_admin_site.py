from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.services import audit, users
from config.admin_site import GyreAdminSite
from jobs.models import Job, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    user = users.create_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def test_it_is_our_site_for_superusers_only(client):
    assert isinstance(admin.site, GyreAdminSite)
    staff = users.create_user("staff")
    staff.is_staff = True
    staff.save(update_fields=["is_staff"])
    client.force_login(staff)
    assert client.get("/admin/db/").status_code == 302


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label))
def test_it_shows_every_table(client, boss, model):
    audit.record("test.made", actor=boss)
    Job.objects.create(kind="jobs.check_worker")
    meta = model._meta
    assert client.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")).status_code == 200


def test_it_keeps_people_and_the_audit_log_from_being_deleted(client, boss):
    entry = audit.record("test.made", actor=boss)
    assert client.get(reverse("admin:accounts_auditentry_delete", args=[entry.pk])).status_code == 403
    assert client.get(reverse("admin:accounts_user_delete", args=[boss.pk])).status_code == 403
    assert client.get(reverse("admin:accounts_user_change", args=[boss.pk])).status_code == 200


def test_it_cancels_jobs_through_the_service_and_says_what_could_not_be(client, boss):
    waiting = Job.objects.create(kind="jobs.check_worker")
    done = Job.objects.create(kind="jobs.check_worker", state=State.DONE)
    answer = client.post(
        reverse("admin:jobs_job_changelist"),
        {"action": "cancel", "_selected_action": [waiting.pk, done.pk]},
        follow=True,
    )
    waiting.refresh_from_db()
    assert waiting.state == State.CANCELLED
    assert "has ended already (done)" in answer.content.decode()
