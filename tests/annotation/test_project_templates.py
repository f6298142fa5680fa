"""The templates of new projects: sound schemas, every text in both languages, no type forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from annotation.errors import ProjectRefused
from annotation.project_templates import TEMPLATES
from annotation.selectors import schemas as schema_reads
from annotation.services import projects
from annotation.task_types import registry
from annotation.task_types.content import Content, Response
from tests import factories

WITH_FIELDS = [key for key, one in TEMPLATES.items() if one.fields]
PAIR = (Response(id="r1", text="Yes."), Response(id="r2", text="No."))
CONTENT = Content(text="The kettle leaks. Ana Ruiz of Bergen wrote it.", responses=PAIR)
ANSWERS: dict[str, dict[str, Any]] = {
    "sentiment": {"label": "mixed"},
    "relevance": {"label": "not-relevant"},
    "support": {"label": "request"},
    "tree": {"matter": "payment-twice"},
    "multilabel": {"topics": ["quality", "use"]},
    "spans": {
        "entities": {
            "spans": [
                {"start": 18, "end": 26, "label": "person"},
                {"start": 30, "end": 36, "label": "place"},
            ],
            "relations": [{"from": 0, "to": 1, "label": "located-in"}],
        }
    },
    "rating": {"quality": {"helpful": 5, "correct": 1, "clear": 3}},
    "preference": {
        "preferred": {"ranking": [["r2"], ["r1"]], "strength": "much", "reasons": ["clear", "safe"]}
    },
    "response": {"reply": {"text": "Send it back, we pay."}},
    "combined": {
        "intent": "complaint",
        "urgency": {"urgent": 2},
        "fault": {"spans": [{"start": 4, "end": 10, "label": "product"}]},
    },
}


def texts(part: Any) -> list[tuple[dict[str, Any], str]]:
    """Every text of a schema that people read, as (its object, its key)."""
    if isinstance(part, list):
        return [one for each in part for one in texts(each)]
    if not isinstance(part, dict):
        return []
    keys = ("title", "help", "description", "anchors", *(["name"] if "type" not in part else []))
    mine = [(part, key) for key in keys if part.get(key)]
    return mine + [one for each in part.values() for one in texts(each)]


@pytest.mark.parametrize("key", WITH_FIELDS)
def test_each_is_a_schema_that_takes_an_answer(key: str) -> None:
    definition = TEMPLATES[key].definition()
    assert registry.complaints(definition) == []
    assert registry.validate_value(definition, ANSWERS[key], CONTENT) == ANSWERS[key]


def test_no_task_type_is_without_a_template() -> None:
    kinds = {tuple(field["type"] for field in TEMPLATES[key].fields) for key in WITH_FIELDS}
    assert {one[0] for one in kinds if len(one) == 1} == set(registry.TASK_TYPES)
    assert ("classification", "rating", "spans") in kinds


def test_the_combined_one_asks_further_only_after_a_choice() -> None:
    definition = TEMPLATES["combined"].definition()

    def names(intent: str) -> list[str]:
        return [field["name"] for field in registry.asked(definition, {"intent": intent})]

    assert names("complaint") == ["intent", "urgency", "fault"]
    assert names("question") == ["intent", "urgency"]
    assert names("other") == ["intent"]


@pytest.mark.parametrize("key", TEMPLATES)
def test_every_text_is_there_in_both_languages(key: str) -> None:
    one = TEMPLATES[key]
    given = [name for name in ("label", "description", "guideline") if one.texts.get(name)]
    assert given == (["label", "description", "guideline"] if one.fields else ["label", "description"])
    assert [name for name in given if not one.texts.get(f"{name}_zh")] == []
    lacking = [part[name] for part, name in texts(one.definition()) if not part.get(f"{name}_zh")]
    assert lacking == []


def test_the_guideline_is_in_the_language_that_is_spoken() -> None:
    assert TEMPLATES["rating"].guideline.startswith("# How good is the answer?")
    with translation.override("zh-hans"):
        assert TEMPLATES["rating"].guideline.startswith("# 回答有多好？")
        assert TEMPLATES["rating"].label == "给回答评分"


@pytest.mark.django_db
def test_own_labels_go_before_those_of_the_template() -> None:
    project = projects.create("Mine", template="combined", labels=["Praise"])
    first, *others = schema_reads.require(project).definition["fields"]
    assert [label["id"] for label in first["labels"]] == [
        *("praise", "question", "request", "complaint", "other")
    ]
    assert [field["name"] for field in others] == ["urgency", "fault"]
    # the registry's own stays as it was
    assert len(TEMPLATES["combined"].fields[0]["labels"]) == 4


@pytest.mark.django_db
def test_labels_are_refused_where_nothing_asks_for_them() -> None:
    with pytest.raises(ProjectRefused, match="“Ratings of an answer” asks for no labels") as refused:
        projects.create("Mine", template="rating", labels=["Good"])
    assert list(refused.value.details) == ["labels"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", TEMPLATES)
def test_a_project_can_be_made_from_each_on_the_page(client: Any, key: str) -> None:
    client.force_login(factories.make_user(is_superuser=True, language="zh-hans"))
    address = reverse("annotation:project_new")
    page = client.get(address).content.decode()
    assert TEMPLATES[key].texts["description_zh"] in page
    answer = client.post(address, {"name": "Mine", "template": key})
    assert answer.status_code == 302, answer.content.decode()
    project = projects.Project.objects.get()
    assert (schema_reads.current(project) is None) == (key == "blank")
    guideline = schema_reads.current_guideline(project)
    assert (guideline.text if guideline else "") == TEMPLATES[key].texts.get("guideline_zh", "").strip()


@pytest.mark.django_db
def test_the_api_lists_the_same_ones(client: Any) -> None:
    client.force_login(factories.make_user())
    listed = client.get(reverse("annotation-api:templates")).json()
    assert [one["key"] for one in listed] == list(TEMPLATES)
    assert [one["definition"] for one in listed] == [one.definition() for one in TEMPLATES.values()]
