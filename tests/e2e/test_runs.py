"""The pages of finished training runs: where time and memory went, and two of them side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs.models import JobMetric
from tests import factories
from tests.training.views.test_runs import FIGURES, PROFILE
from training.models import ModelVersion

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SCRIPTS = Path(__file__).parent
PICTURES = os.environ.get("GYRE_PICTURES")  # a folder for pictures to look at


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh-hans")])
def test_they_fit_are_readable_and_named(open_page, theme: Any, language: str) -> None:
    project = factories.make_project("Bank intents")
    first = factories.make_model(project)
    second = factories.make_model(project, first.run.dataset)
    for model, rate in ((first, 98.5), (second, 50.0)):
        figures = {**FIGURES, "samples_per_s": rate, "profile": PROFILE}
        ModelVersion.objects.filter(pk=model.pk).update(figures=figures)
        JobMetric.objects.bulk_create(
            JobMetric(job=model.run.job, step=step, values={"loss": 90 / (rate + step)})
            for step in range(0, 120, 10)
        )
    second.run.spec["c"] = 99.0
    second.run.save(update_fields=["spec"])
    one, other = first.run.number, second.run.number
    addresses = {
        "run": reverse("training:run", args=[project.slug, one]),
        "compare": reverse("training:run_compare", args=[project.slug]) + f"?one={one}&other={other}",
    }
    engineer = factories.add_member(project, Role.ENGINEER, factories.make_user(language=language))
    page = open_page(engineer, addresses["run"], color_scheme=theme)
    scripts = [(SCRIPTS / name).read_text("utf-8") for name in ("contrasts.js", "nameless.js")]
    problems = []
    for name, address in addresses.items():
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.goto(address).status == 200
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                problems.append(f"{name}: too wide at {width}")
            boxes = (
                "[...document.querySelectorAll('.chart-box')].some(b => b.scrollWidth > b.clientWidth + 1)"
            )
            if page.evaluate(boxes):
                problems.append(f"{name}: a chart must be moved sideways at {width}")
            problems += [f"{name}: {one}" for script in scripts for one in page.evaluate(script)]
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/{name}-{width}-{theme}.png", full_page=True)
    assert problems == []
