"""Accessibility by axe-core: no page has a serious fault by the rules of WCAG 2.2 AA, whatever the task type."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from annotation.models import Role
from annotation.services import discussions, imports, labelling, memberships, projects, queue
from jobs.models import Job
from tests import factories, typed
from tests.annotation.services.test_bulk_acceptance import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (rules) => {
  const tags = { type: "tag", values: rules };
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")}`);
}"""


def faults(page: Page) -> list[str]:
    page.evaluate(AXE)  # through the debugger, which the content security policy does not concern
    return page.evaluate(RUN, RULES)


@pytest.mark.parametrize("kind", typed.FIELDS)
def test_labelling_and_reviewing_have_no_serious_fault(open_page, kind: str) -> None:
    project = typed.make_project(kind, spot_check_share=1.0)
    typed.add_items(project, kind, 3)
    typed.publish(project)
    typed.label(project, kind, factories.add_member(project), count=1)
    reviewer = factories.add_member(project, Role.REVIEWER)
    problems = []
    for width, theme in ((1440, "light"), (390, "dark")):
        page = open_page(reviewer, f"/p/{project.slug}/label", width=width, color_scheme=theme)
        for name in ("label", "review"):
            page.goto(reverse(f"annotation:{name}", args=[project.slug]))
            problems += [f"{name} {width} {theme}: {one}" for one in faults(page)]
    assert problems == []
    assert queue.lease(project, reviewer, count=1)


@pytest.mark.parametrize(("width", "theme", "language"), [(1440, "light", "en"), (390, "dark", "zh-hans")])
def test_other_pages_have_no_serious_fault(open_page, width: int, theme: Any, language: str) -> None:
    project = typed.labelled_project("combined", spot_check_share=1.0)
    admin = factories.add_member(project, Role.ADMIN, factories.make_user(language=language))
    names = [
        *("guide", "items", "import", "export", "agreement", "people", "settings", "labels", "discussions"),
        *("keys", "jobs"),
    ]
    addresses = [reverse(f"annotation:{name}", args=[project.slug]) for name in names]
    addresses += [
        reverse(name, args=[project.slug])
        for name in (
            *("selection:rounds", "selection:launch", "selection:grid", "selection:values", "selection:pool"),
            *("training:suggestions", "training:models"),
        )
    ]
    addresses += [
        reverse(name)
        for name in ("annotation:home", "annotation:me", "accounts:notices", "accounts:preferences")
    ]
    page = open_page(admin, "/", width=width, color_scheme=theme)
    problems = []
    for address in addresses:
        page.goto(address)
        problems += [f"{address}: {one}" for one in faults(page)]
    assert problems == []


def test_pages_that_need_work_behind_them_have_no_serious_fault(open_page) -> None:
    """Once, in Chinese, small and dark; what they are made of is seen wide and light elsewhere."""
    scene = Scene(opened=3)
    project = scene.project
    admin = factories.add_member(project, Role.ADMIN, factories.make_user(language="zh-hans"))
    slot = queue.lease(project, admin, count=1)[0]
    thread = discussions.flag(project, admin, slot.uuid, "Is this a refund?").discussion
    projects.update_settings(project, prelabel_hidden_share=0.0)
    labelling.submit(project, admin, slot.uuid, {"label": "refund"}, client_key="k")
    waiting = factories.make_import(project, lines=["text,label", "one,Refund", "two,Nonsense"])
    done = factories.make_import(project, lines=["text,label", "one,Refund", "two,Nonsense", "three"])
    imports.start(done, {"text": "text", "label": "label"})
    factories.run_import(done)
    first = factories.make_model(project)
    second = factories.make_model(project, first.run.dataset)
    factories.make_evaluation(second, baseline=first, value=0.01, low=-0.02, high=0.04)
    _invite, secret = memberships.invite(project, by=admin)
    slug, runs = project.slug, [first.run.number, second.run.number]
    addresses = [
        *(reverse(f"annotation:{name}", args=[slug]) for name in ("check", "accept", "patterns", "mine")),
        *(reverse(f"annotation:{name}", args=[slug]) for name in ("guide_edit", "project_clone")),
        *(reverse(f"annotation:{name}") for name in ("dashboard", "project_new")),
        reverse("annotation:item", args=[slug, slot.item.row]),
        reverse("annotation:discussion", args=[slug, thread.uuid]),
        *(reverse("annotation:import_detail", args=[slug, one.uuid]) for one in (waiting, done)),
        reverse("selection:round", args=[slug, 1]),
        reverse("selection:prompts", args=[slug]),
        reverse("training:run", args=[slug, runs[0]]),
        reverse("training:run_compare", args=[slug]) + "?one={}&other={}".format(*runs),
        reverse("training:evaluation", args=[slug, second.number]),
        reverse("training:base_models", args=[slug]),
        reverse("jobs:detail", args=[Job.objects.latest("pk").uuid]),
        reverse("accounts:password_change"),
    ]
    page = open_page(admin, "/", width=390, color_scheme="dark")
    problems = []
    for address in addresses:
        assert page.goto(address).status == 200, address
        problems += [f"{address}: {one}" for one in faults(page)]
    page = open_page(None, "/", width=390, color_scheme="dark", locale="zh-CN")
    for address in (reverse("accounts:login"), reverse("annotation:join", args=[secret])):
        assert page.goto(address).status == 200, address
        problems += [f"{address}: {one}" for one in faults(page)]
    assert problems == []
