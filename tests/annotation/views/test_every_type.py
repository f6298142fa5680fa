"""Every page opens for projects of every task type, with the answers in it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests import typed
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PAGES = (
    *("annotation:label", "annotation:review", "annotation:guide", "annotation:guide_edit"),
    *("annotation:items", "annotation:import", "annotation:export", "annotation:jobs"),
    *("annotation:agreement", "annotation:disagreements", "annotation:settings", "annotation:labels"),
    *("annotation:people", "annotation:project_clone", "selection:rounds", "selection:launch"),
    "training:models",
)


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_opens_every_page_of_a_project_of_each_type(client: Client, name: str) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project(name, by=user, spot_check_share=1.0, overlap_share=0.5)
    client.force_login(user)
    found = {page: client.get(reverse(page, args=[project.slug])).status_code for page in PAGES}
    assert found == dict.fromkeys(PAGES, 200)
    for page in ("annotation:home", "annotation:me", "annotation:dashboard", "annotation:project_new"):
        assert client.get(reverse(page)).status_code == 200


@pytest.mark.parametrize("name", typed.FIELDS)
def test_it_opens_every_page_of_a_project_of_each_type_before_anybody_has_labelled(
    client: Client, name: str
) -> None:
    user = make_user(is_superuser=True)
    project = typed.make_project(name, by=user)
    client.force_login(user)
    found = {page: client.get(reverse(page, args=[project.slug])).status_code for page in PAGES}
    assert found == dict.fromkeys(PAGES, 200)
