"""Values are brought up to date by themselves, where somebody has asked for them once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from annotation.models import Project, Resolution
from annotation.services import projects
from jobs import registry
from jobs.models import Job
from jobs.services import running
from selection.models import Round
from selection.selectors import values as reads
from selection.services import builds, values
from tests import factories
from training.services import programs

pytestmark = pytest.mark.django_db
KINDS = ["Refund", "Other"]


def label(project: Project, count: int, split: str = "train") -> None:
    made = factories.make_items(project, count, split=split)
    factories.make_labels(project, made, [KINDS[n % 2] for n in range(count)])


def finish_a_round(project: Project) -> Round:
    return Round.objects.create(
        project=project,
        number=project.rounds.count() + 1,
        spec={},
        state=Round.State.DONE,
        finished_at=timezone.now(),
    )


@pytest.fixture
def project() -> Project:
    """Twelve labels whose worth was asked for once: the job's entry without its files, which no tick reads."""
    project = factories.make_project()
    label(project, 12)
    ended(values.launch(project), items=12)
    return project


def ended(job: Job, state: str = "done", **result: int) -> None:
    Job.objects.filter(pk=job.pk).update(state=state, result=result, finished_at=timezone.now())


def waiting(project: Project) -> Job:
    job = reads.running(project)
    assert job is not None
    return job


def test_it_is_registered() -> None:
    assert registry.PERIODIC["selection.revalue_labels"].function is values.revalue_due


def test_a_round_that_finished_calls_for_it_once_a_label_came(project: Project) -> None:
    assert values.revalue_due() == 0
    finish_a_round(project)
    assert values.revalue_due() == 0  # of the same labels it would say the same
    label(project, 1)
    assert values.revalue_due() == 1
    job = waiting(project)
    newest, number = Resolution.objects.order_by("-pk")[0].pk, 1
    assert (job.key, job.created_by) == (f"value:{project.uuid}:{newest}:{number}", None)
    assert job.params == {"retrain": False}
    assert values.revalue_due() == 0  # one waits already
    ended(job, items=13)
    label(project, 1)
    assert values.revalue_due() == 0  # that round was before it
    finish_a_round(project)
    assert values.revalue_due() == 1
    assert Job.objects.filter(kind=reads.KIND).count() == 3


def test_a_round_that_failed_calls_for_nothing(project: Project) -> None:
    label(project, 1)
    round_ = finish_a_round(project)
    Round.objects.filter(pk=round_.pk).update(state=Round.State.FAILED)
    assert values.revalue_due() == 0


def test_so_many_labels_call_for_it_and_test_items_do_not_count(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "NEW_LABELS", 3)
    label(project, 2)
    label(project, 5, split="test")
    assert values.revalue_due() == 0
    label(project, 1, split="validation")
    assert values.revalue_due() == 1
    ended(waiting(project), items=60)
    label(project, 5)  # of so many as were valued, a tenth
    assert values.revalue_due() == 0
    label(project, 1)
    assert values.revalue_due() == 1


def test_one_that_failed_is_not_tried_again_before_something_is_new(project: Project) -> None:
    label(project, 1)
    finish_a_round(project)
    assert values.revalue_due() == 1
    ended(waiting(project), "failed")
    assert values.revalue_due() == 0
    label(project, 1)
    finish_a_round(project)
    assert values.revalue_due() == 1


def test_it_is_for_active_projects_that_were_valued_once(project: Project) -> None:
    other = factories.make_project()
    label(other, 12)
    finish_a_round(other)
    label(project, 1)
    finish_a_round(project)
    projects.pause(project)
    assert values.revalue_due() == 0
    projects.resume(project)
    assert values.revalue_due() == 1
    assert reads.running(other) is None and waiting(project)


def test_labels_that_are_gone_are_nothing_to_value(project: Project) -> None:
    Resolution.objects.filter(project=project).update(is_current=False)
    label(project, 1)
    finish_a_round(project)
    assert values.revalue_due() == 0
    assert reads.running(project) is None


@pytest.mark.parametrize(("held_out", "again"), [(30, True), (29, False)])
def test_data_shapley_goes_on_as_long_as_it_can(project: Project, held_out: int, again: bool) -> None:
    Job.objects.filter(kind=reads.KIND).update(params={"retrain": True})
    label(project, held_out, split="validation")
    finish_a_round(project)
    assert values.revalue_due() == 1
    assert waiting(project).params == {"retrain": again}


def test_what_it_launches_values_the_new_label(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    label(project, 1)
    finish_a_round(project)
    values.revalue_due()
    job = waiting(project)
    with programs.in_this_process():
        running.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["items"]) == ("done", 13), job.error
    assert values.revalue_due() == 0
