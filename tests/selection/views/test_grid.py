from __future__ import annotations

import re

import numpy as np
import pytest
from django.urls import reverse

from annotation.models import Annotation, Review, Role
from jobs import program
from jobs.services import artifacts
from selection.models import Column
from selection.services import neighbours, pool
from tests.factories import add_member, make_items, make_labels, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings):
    made = make_project(overlap_share=0, evaluation_items=0, spot_check_share=0.0)
    items = make_items(made, ["card lost", "card stolen", "weather", "card gone"], split="train")
    vectors = np.array([[1, 0], [0.95, 0.3122499], [0, 1], [0.8, 0.6]], dtype=np.float32)
    folder = settings.DATA_DIR / "work" / "vectors"
    with program.result_folder(folder) as target:
        np.save(target / "embeddings.npy", vectors)
        np.save(target / "rows.npy", np.array([item.row for item in items], dtype=np.int64))
    artifact = artifacts.store(folder, "embeddings")
    pool.add_shard(made, Column.Kind.EMBEDDING, pool.embedding_key(made), artifact, "embeddings.npy")
    return made


def page(project) -> str:
    return reverse("selection:grid", args=[project.slug])


def test_neighbours_come_by_similarity_and_labelled_ones_not_at_all(project):
    assert [(n.item.text, round(n.similarity, 2)) for n in neighbours.near(project, 0)] == [
        ("card lost", 1.0), ("card stolen", 0.95), ("card gone", 0.8), ("weather", 0.0),
    ]  # fmt: skip
    assert neighbours.near(project, 17) == []


def test_the_page_chooses_what_is_alike_and_labels_it_at_once(client, project):
    client.force_login(add_member(project, Role.REVIEWER))
    html = client.get(page(project), {"row": 0}).content.decode()
    assert re.findall(r'name="label" value="([\w-]+)" data-key="(\w)"', html) == [
        ("refund", "1"), ("card-lost", "2"), ("other", "3"),
    ]  # fmt: skip
    boxes = re.findall(r'name="rows" value="(\d+)" data-similarity="[\d.e-]+"( checked)?', html)
    assert boxes == [("0", " checked"), ("1", " checked"), ("3", " checked"), ("2", "")]
    key = re.search(r'name="client_key" value="(\w+)"', html).group(1)
    sent = {"rows": ["0", "1", "3"], "label": "card-lost", "client_key": key, "row": "0"}
    html = client.post(page(project), sent, follow=True).content.decode()
    assert "3 items labelled." in html
    assert {one.item.text for one in Annotation.objects.all()} == {"card lost", "card stolen", "card gone"}


def test_near_duplicates_of_a_labelled_item_get_its_label_and_all_go_to_a_reviewer(client, project):
    rita = add_member(project, Role.REVIEWER)
    make_labels(project, list(project.items.filter(row=0)), ["Card lost"])
    client.force_login(rita)
    html = client.get(page(project), {"row": 0, "near": 1}).content.decode()
    boxes = re.findall(r'name="rows" value="(\d+)" data-similarity="[\d.e-]+"( checked)?', html)
    assert boxes == [("1", " checked"), ("3", ""), ("2", "")]
    assert "The item you come from is labelled “Card lost”" in html
    assert 'id="check-all" value="1" checked' in html
    sent = {"rows": "1", "label": "card-lost", "client_key": "k", "row": 0, "like": 92, "check_all": 1}
    answer = client.post(page(project), sent)
    assert answer["Location"] == page(project)
    assert Review.objects.get().item.text == "card stolen"
    assert Review.objects.get().drawn_share == 1.0


def test_every_find_leads_to_its_near_duplicates(client, project):
    client.force_login(add_member(project, Role.REVIEWER))
    html = client.get(page(project), {"row": 0}).content.decode()
    assert re.findall(r'href="\?row=(\d+)&amp;near=1"', html) == ["0", "1", "3", "2"]
    assert 'id="check-all" value="1">' in html, "not all of what is merely similar"


def test_nothing_chosen_is_said(client, project):
    client.force_login(add_member(project, Role.REVIEWER))
    sent = {"label": "card-lost", "client_key": "k", "row": "0"}
    assert "0 items are chosen" in client.post(page(project), sent, follow=True).content.decode()


def test_a_project_without_vectors_or_with_more_fields_says_why(client, project):
    rita = add_member(project, Role.REVIEWER)
    client.force_login(rita)
    Column.objects.all().delete()
    assert "Nothing to compare yet" in client.get(page(project)).content.decode()
    other = make_project(labels=[], definition={"fields": [{"name": "r", "type": "response"}]})
    add_member(other, Role.REVIEWER, rita)
    assert "One label an item" in client.get(page(other)).content.decode()


def test_annotators_do_not_label_in_bulk(client, project):
    client.force_login(add_member(project))
    assert client.get(page(project)).status_code == 403


@pytest.fixture
def encoder(monkeypatch):
    """A text becomes the vector that its one word names."""
    from training.learning import light_encoder

    words = {"card": [1, 0], "weather": [0, 1]}
    monkeypatch.setattr(
        light_encoder, "encode", lambda text, path, layer: np.array(words[text], dtype=np.float32)
    )


def test_items_like_a_text_come_by_similarity_and_stay_searched_for(client, project, encoder):
    client.force_login(add_member(project, Role.REVIEWER))
    html = client.get(page(project), {"text": "weather"}).content.decode()
    assert re.findall(r'name="rows" value="(\d+)"', html) == ["2", "3", "1", "0"]
    assert 'name="text" value="weather"' in html
    key = re.search(r'name="client_key" value="(\w+)"', html).group(1)
    sent = {"rows": ["2"], "label": "other", "client_key": key, "row": "", "text": "weather"}
    html = client.post(page(project), sent, follow=True).content.decode()
    assert "1 item labelled." in html
    assert re.findall(r'name="rows" value="(\d+)"', html) == ["3", "1", "0"]


def test_a_text_that_is_too_long_is_refused_in_place(client, project):
    client.force_login(add_member(project, Role.REVIEWER))
    html = client.get(page(project), {"text": "x" * 2001}).content.decode()
    assert "The text has 2001 characters, at most 2000 are searched for: shorten it." in html


@pytest.mark.slow
def test_the_real_encoder_finds_the_text_itself_first(client):
    made = make_project(overlap_share=0, evaluation_items=0)
    items = make_items(
        made, ["I lost my card", "what is the weather like", "give me my money"], split="train"
    )
    from training.learning.encoder import Encoder, default_encoder_path

    vectors = Encoder.load(default_encoder_path()).encode([item.text for item in items])
    store(made, vectors)
    found = neighbours.near_text(made, "my card is lost")
    assert found[0].item.text == "I lost my card" and found[0].similarity > 0.8


def store(project, vectors):
    from django.conf import settings

    folder = settings.DATA_DIR / "work" / "real"
    with program.result_folder(folder) as target:
        np.save(target / "embeddings.npy", vectors)
        np.save(target / "rows.npy", np.arange(len(vectors), dtype=np.int64))
    artifact = artifacts.store(folder, "embeddings")
    pool.add_shard(project, Column.Kind.EMBEDDING, pool.embedding_key(project), artifact, "embeddings.npy")
