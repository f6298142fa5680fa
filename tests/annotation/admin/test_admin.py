from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.factories import make_items, make_project, make_user

pytestmark = pytest.mark.django_db
# What only programs read (places in the queue, search indexes, chosen columns) has no page.
UNSHOWN = {"Cursor", "SearchState", "IndexedLabel", "IndexedScore", "ColumnChoice"}
MODELS = [one for one in apps.get_app_config("annotation").get_models() if one.__name__ not in UNSHOWN]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_it_shows_every_table_to_a_superuser_and_changes_none(client: Client, model: Any) -> None:
    make_items(make_project(by=make_user()), ["one", "One"])
    client.force_login(make_user(is_superuser=True))
    name = f"admin:annotation_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist")).status_code == 200
    assert client.get(reverse(f"{name}_add")).status_code == 403
    row = model.objects.first()
    if row is not None:
        page = reverse(f"{name}_change", args=[row.pk])
        assert client.get(page).status_code == 200
        assert client.post(page, {}).status_code == 403


def test_it_never_shows_the_digest_of_an_invitation() -> None:
    from annotation.models import Invite

    assert "digest" in (admin.site.get_model_admin(Invite).exclude or ())
