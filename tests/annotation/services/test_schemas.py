from __future__ import annotations

import pytest

from annotation.errors import SchemaMissing, SchemaRefused
from annotation.models import Annotation
from annotation.selectors import schemas as schema_reads
from annotation.services import guidelines, labellers, projects, schemas
from tests.factories import make_item, make_project, make_user

pytestmark = pytest.mark.django_db


def test_it_numbers_versions_and_keeps_the_old_ones() -> None:
    project = make_project(labels=["a", "b"])
    second = schemas.publish(project, schemas.definition_of(["a", "b", "c"]))
    assert second.number == 2
    assert schema_reads.current(project) == second
    assert project.schemas.count() == 2


def test_it_gives_the_same_version_for_the_same_definition() -> None:
    project = make_project(labels=["a", "b"])
    again = schemas.publish(project, schemas.definition_of(["a", "b"]))
    assert (again.number, project.schemas.count()) == (1, 1)


def test_it_refuses_a_definition_nobody_can_label_with() -> None:
    with pytest.raises(SchemaRefused, match="stands for two labels"):
        schemas.publish(make_project(), schemas.definition_of(["a", "A"]))


def test_it_renames_a_label_but_never_removes_a_used_one() -> None:
    project = make_project(labels=["a", "b", "c"])
    schema = schema_reads.require(project)
    Annotation.objects.create(
        project=project,
        item=make_item(project),
        labeller=labellers.person(project, make_user()),
        schema_version=schema,
        value={"label": "b"},
        client_key="k",
    )
    with pytest.raises(SchemaRefused, match="“b” has been used"):
        schemas.publish(project, schemas.definition_of(["a", "c"]))
    renamed = schemas.definition_of([{"id": "a", "name": "Alpha"}, {"id": "b", "name": "Beta"}])
    assert schemas.publish(project, renamed).number == 2


def test_it_says_when_a_project_has_no_labels_yet() -> None:
    with pytest.raises(SchemaMissing, match="no labels yet"):
        schema_reads.require(projects.create("Later"))


def test_it_numbers_guidelines_and_ignores_one_that_says_the_same() -> None:
    project = make_project()
    assert schema_reads.current_guideline(project) is None
    guidelines.publish(project, "First.", by=make_user())
    second = guidelines.publish(project, "Second.\r\nLine.", change_note="A line more.")
    assert (second.number, second.text) == (2, "Second.\nLine.")
    assert guidelines.publish(project, "Second.\nLine.\n").number == 2
