from __future__ import annotations

import pytest

from accounts.models import AuditEntry
from annotation.errors import ProjectArchived, ProjectRefused, SchemaRefused
from annotation.models import Membership, Project, Role
from annotation.selectors import schemas as schema_reads
from annotation.services import projects, schemas
from annotation.task_types.labels import label_ids
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


def test_it_makes_a_project_with_its_maker_as_admin() -> None:
    user = make_user()
    project = projects.create("Bank intents", created_by=user, labels=["Refund request", "退款失败"])
    schema = schema_reads.require(project)
    assert project.slug == "bank-intents"
    assert Membership.objects.get(project=project, user=user).role == Role.ADMIN
    assert label_ids(schema_reads.label_field(schema))[0] == "refund-request"
    assert label_ids(schema_reads.label_field(schema))[1].startswith("l-")
    assert set(AuditEntry.objects.filter(scope=project.uuid).values_list("verb", flat=True)) == {
        "project.created",
        "schema.published",
    }


def test_it_gives_the_labels_and_guideline_of_a_template() -> None:
    project = projects.create("Mood", template="sentiment")
    schema = schema_reads.require(project)
    assert label_ids(schema_reads.label_field(schema)) == ["positive", "negative", "neutral", "mixed"]
    guideline = schema_reads.current_guideline(project)
    assert guideline is not None and guideline.text.startswith("# Sentiment")


def test_it_leaves_a_blank_project_without_labels() -> None:
    assert schema_reads.current(projects.create("Later")) is None


def test_it_gives_every_project_an_ascii_address_of_its_own() -> None:
    assert [projects.create("Bank").slug for _ in range(2)] == ["bank", "bank-2"]
    chinese = projects.create("银行意图").slug
    assert chinese.isascii() and chinese.startswith("project-")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"template": "nope"}, "no template"),
        ({"slug": "a b"}, "address"),
        ({"slug": "银行"}, "letters a to z"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"test_share": 0.9}, "between 0 and 0.5"),
        ({"overlap_share": 1.5}, "overlap"),
        ({"lease_seconds": 1}, "lease"),
        ({"colour": "red"}, "no setting"),
    ],
)
def test_it_refuses_what_a_project_cannot_have(given: dict[str, object], part: str) -> None:
    with pytest.raises(ProjectRefused, match=part):
        projects.create("Bank", **given)  # type: ignore[arg-type]
    assert not Project.objects.exists()


def test_it_refuses_an_empty_name_and_one_label() -> None:
    with pytest.raises(ProjectRefused, match="name"):
        projects.create("  ")
    with pytest.raises(SchemaRefused, match="needs 2"):
        projects.create("Bank", labels=["only"])


def test_it_clones_labels_guideline_and_settings_without_items() -> None:
    admin = make_user()
    project = make_project(by=admin, overlap_share=0.3, guideline="Look twice.")
    annotator = add_member(project)
    make_items(project, 2)
    twin = projects.clone(project, "Twin", by=admin, with_people=True)
    mine, theirs = schema_reads.require(twin), schema_reads.require(project)
    assert (twin.overlap_share, mine.definition, twin.items.count()) == (0.3, theirs.definition, 0)
    assert schema_reads.current_guideline(twin).text == "Look twice."  # type: ignore[union-attr]
    assert set(twin.memberships.values_list("user_id", "role")) == {
        (admin.pk, "admin"),
        (annotator.pk, "annotator"),
    }
    assert twin.seed != project.seed


def test_it_records_what_a_settings_change_changed() -> None:
    project = make_project()
    projects.update_settings(project, spot_check_share=0.05, daily_goal=60)
    project.refresh_from_db()
    assert project.spot_check_share == 0.05
    entry = AuditEntry.objects.get(verb="project.changed")
    assert entry.data == {"changed": {"spot_check_share": [0.08, 0.05]}}


def test_it_keeps_what_decides_the_splits_once_items_are_in() -> None:
    project = make_project()
    projects.update_settings(project, test_share=0.3)
    make_items(project, 1)
    with pytest.raises(ProjectRefused, match="cannot change any more") as caught:
        projects.update_settings(project, test_share=0.1)
    assert list(caught.value.details) == ["test_share"]
    projects.update_settings(Project.objects.get(), test_share=0.3, daily_goal=5)


def test_it_writes_nothing_to_an_archived_project_until_it_is_taken_up_again() -> None:
    project = make_project()
    projects.archive(project)
    with pytest.raises(ProjectArchived, match="archived"):
        projects.update_settings(project, daily_goal=5)
    with pytest.raises(ProjectArchived):
        make_items(project, 1)
    with pytest.raises(ProjectArchived):
        schemas.publish(project, schemas.definition_of(["a", "b"]))
    projects.unarchive(project)
    projects.update_settings(project, daily_goal=5)
    verbs = AuditEntry.objects.filter(verb__startswith="project.").values_list("verb", flat=True)
    assert set(verbs) == {"project.created", "project.archived", "project.unarchived", "project.changed"}


def test_it_pauses_and_resumes() -> None:
    project = make_project()
    projects.pause(project)
    assert Project.objects.get().state == "paused"
    projects.resume(project)
    assert Project.objects.get().state == "active"
