from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.services import tokens, users

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return users.create_user("ana")


@pytest.fixture
def api(ana):
    _token, secret = tokens.create(ana, "test")
    return APIClient(headers={"Authorization": f"Bearer {secret}"})


def test_it_says_who_i_am(api):
    assert api.get("/api/v1/me").json()["username"] == "ana"


@pytest.mark.parametrize("header", [None, "Bearer gyre_x_y", "Bearer a b", "Bearer"])
def test_it_refuses_with_a_sentence_in_our_shape(header):
    client = APIClient(headers={"Authorization": header} if header else {})
    answer = client.get("/api/v1/me")
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message", "details"}


def test_it_makes_lists_and_revokes_tokens(api):
    made = api.post("/api/v1/tokens", {"name": "laptop"})
    assert made.status_code == 201
    assert tokens.authenticate(made.json()["secret"]) is not None
    listed = api.get("/api/v1/tokens").json()["results"]
    assert [entry["name"] for entry in listed] == ["laptop", "test"]
    assert "secret" not in listed[0]
    assert "digest" not in listed[0]
    assert api.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
    assert tokens.authenticate(made.json()["secret"]) is None


def test_it_names_the_field_that_is_wrong(api):
    answer = api.post("/api/v1/tokens", {"name": ""})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["message"] == "name: This field may not be blank."
    assert answer.json()["details"] == {"name": ["This field may not be blank."]}


def test_it_does_not_know_tokens_of_others(api):
    token, _secret = tokens.create(users.create_user("bob"), "his")
    answer = api.delete(f"/api/v1/tokens/{token.pk}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "token_unknown"
