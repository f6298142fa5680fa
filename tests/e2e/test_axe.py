"""Accessibility by axe-core: no page has a serious fault by the rules of WCAG 2.2 AA, whatever the task type."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from annotation.models import Role
from annotation.services import queue
from tests import factories, typed

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


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_other_pages_have_no_serious_fault(open_page, width: int, theme: Any) -> None:
    project = typed.labelled_project("combined", spot_check_share=1.0)
    admin = factories.add_member(project, Role.ADMIN)
    names = [
        *("guide", "items", "import", "export", "agreement", "people", "settings", "labels", "discussions"),
        *("keys", "jobs"),
    ]
    addresses = [reverse(f"annotation:{name}", args=[project.slug]) for name in names]
    addresses += [
        reverse(name, args=[project.slug])
        for name in ("selection:rounds", "selection:launch", "selection:grid", "selection:values")
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
