"""Prompts that a language model is unsure about: asked by a job, shown least sure first."""

from __future__ import annotations

import math
import re
from functools import partialmethod

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Role
from jobs.models import Artifact, Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import NothingToAsk
from selection.selectors import prompts as reads
from selection.services import prompts
from tests import factories

pytestmark = pytest.mark.django_db
FIELD = {"name": "reply", "type": "response"}


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "PROGRAM", "tests.stand_in_generate")
    monkeypatch.setattr(JobContext, "run_program", partialmethod(JobContext.run_program, in_process=True))


@pytest.fixture
def project(client: Client) -> Project:
    made = factories.make_project(labels=(), definition={"fields": [FIELD]})
    factories.make_items(made, [f"prompt {n}" for n in range(4)], split="train")
    client.force_login(factories.add_member(made, Role.ENGINEER))
    return made


def address(project: Project, name: str = "prompts") -> str:
    return reverse(f"selection:{name}", args=[project.slug])


def ask(client: Client, project: Project, count: int = 4) -> Job:
    client.post(address(project, "prompts_launch"), {"count": count})
    jobs.drain()
    return Job.objects.get(kind=reads.KIND)


def test_a_job_asks_and_the_page_shows_the_least_sure_first(client: Client, project: Project) -> None:
    assert "Ask them" in client.get(address(project)).text
    job = ask(client, project)
    assert (job.state, job.result["prompts"], job.result["answers"]) == ("done", 4, 4 * 8 * 3)
    page = client.get(address(project))
    found = page.context["asked"]
    assert (found.temperature, found.count, found.samples) == (0.7, 4, 8)
    assert [one.row for one in found.prompts] == [1, 3, 0, 2]
    known = found.prompts[2]
    assert (known.unique_share, known.semantic_entropy, known.consistency) == (1 / 8, 0, 1)
    assert [(said.text, said.count) for said in known.answers] == [("answer 0 to 0", 8)]
    assert "4 prompts, the least sure first" in page.text and "8 answers of smollm2" in page.text
    assert re.findall(r"answer \d to 1", page.text)


def test_any_signal_orders_the_prompts_and_the_first_can_be_queued(client: Client, project: Project) -> None:
    job = ask(client, project)
    assert job.result["model"] == "smollm2"
    page = client.get(address(project), {"by": "depth", "t": "0.7"})
    found = page.context["asked"]
    assert (found.by, found.temperature) == ("depth", 0.7)
    assert [one.row for one in found.prompts] == [3, 2, 1, 0]
    assert found.prompts[0].depth == 0.75 and found.prompts[0].dispersion == pytest.approx(0.25)
    assert [round(share, 2) for name, _value, share in page.context["rows"][1][1] if name == "depth"] == [
        0.67
    ]
    assert "After what share of its layers the first word of an answer stands." in page.text
    surest = client.get(address(project), {"by": "consistency"}).context["asked"].prompts
    assert [one.consistency for one in surest] == sorted(one.consistency for one in surest)
    act = reverse("annotation:item_act", args=[project.slug])
    assert f'action="{act}"' in page.text and 'value="3" checked' in page.text
    assert "prompt 3" in client.get(f"{act}?row=3&row=2&action=queue_first").text
    assert client.get(address(project), {"by": "nothing"}).context["asked"].by == "semantic_entropy"


def test_the_spread_of_attention_is_shown_by_layer(client: Client, project: Project) -> None:
    ask(client, project)
    page = client.get(address(project), {"t": "0.7"})
    found = page.context["asked"]
    assert found.by_layer == [[0.2] * 4, [0.0, 0.1, 0.2, 0.3]]
    assert {one.row: one.by_layer for one in found.prompts}[3] == [0.2, 0.3]
    _temperatures, mean, by_prompt = page.context["charts"]
    assert mean.columns[0] == "layer" and [row[0] for row in mean.rows] == ["1", "2"]
    assert mean.rows[0][1].startswith("0.2") and mean.rows[1][1].startswith("0.15 [")
    assert by_prompt.columns == ["prompt", "1", "2"]
    assert by_prompt.rows[0] == ["prompt 1", "0.2", "0.1"]  # the least sure one
    assert "How widely each layer spreads its attention" in page.text
    assert page.text.count("As a table") == 3


def test_what_was_not_looked_into_has_no_layers(client: Client, project: Project) -> None:
    job = ask(client, project)
    (artifacts.path(Artifact(kind="answers", sha256=job.result["artifact"])) / "inside.parquet").unlink()
    page = client.get(address(project))
    assert page.context["asked"].by_layer == [] and len(page.context["charts"]) == 1


def test_it_asks_the_model_chosen_and_refuses_one_that_is_not_there(client: Client, project: Project) -> None:
    with pytest.raises(NothingToAsk, match="Found no language model “gone”; there is: smollm2"):
        prompts.launch(project, count=1, model="gone")
    text = client.post(address(project, "prompts_launch"), {"count": 1, "model": "gone"}).text
    assert "gone is not one of the available choices" in text
    client.post(address(project, "prompts_launch"), {"count": 1, "model": "smollm2"})
    assert Job.objects.get(kind=reads.KIND).params["model"]["name"] == "smollm2"


def test_each_temperature_is_shown_and_drawn(client: Client, project: Project) -> None:
    ask(client, project)
    hot = client.get(address(project), {"t": "0.98"}).context["asked"]
    assert hot.temperature == 1.0
    assert hot.prompts[0].semantic_entropy == pytest.approx(math.log(8))
    chart = client.get(address(project), {"t": "x"}).context["charts"][0]
    assert [row[0] for row in chart.rows] == ["0.3", "0.7", "1"]
    assert all("n=4" in row[1] for row in chart.rows)


def test_it_says_what_cannot_be_asked(client: Client, project: Project) -> None:
    with pytest.raises(NothingToAsk, match="Found 201 prompts, expected 1 to 200"):
        prompts.launch(project, count=201)
    assert "less than or equal to 200" in client.post(address(project, "prompts_launch"), {"count": 201}).text
    plain = factories.make_project()
    with pytest.raises(NothingToAsk, match="No field of this project asks for a response"):
        prompts.launch(plain, count=1)
    factories.add_member(plain, Role.ENGINEER, client.get(address(project)).context["user"])
    assert "This project has no prompts" in client.get(address(plain)).text
    empty = factories.make_project(labels=(), definition={"fields": [FIELD]})
    with pytest.raises(NothingToAsk, match="No prompt is left without an answer"):
        prompts.launch(empty, count=1)


def test_one_job_at_a_time_and_for_engineers_alone(client: Client, project: Project) -> None:
    first = prompts.launch(project, count=2)
    assert prompts.launch(project, count=3) == first
    assert "data-poll=" in client.get(address(project, "prompts_status")).text
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert client.get(address(project)).status_code == 403
    assert client.post(address(project, "prompts_launch"), {"count": 1}).status_code == 403
