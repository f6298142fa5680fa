"""One more mark in a text of 20,000 characters that has three hundred: what it costs the page."""

from __future__ import annotations

from typing import Any

MARKS, PRESSES = 300, 12


def seed(person: Any) -> str:
    """A project of one such item, with the marks as suggestions; the path of its page."""
    from annotation.services import batches, items, labellers, prelabels, projects

    field = {"name": "answer", "type": "spans", "overlapping": True}
    definition = {"fields": [{**field, "labels": [{"id": "person", "name": "Person"}]}]}
    project = projects.create(
        "long spans", created_by=person, definition=definition, overlap_share=0, evaluation_items=0
    )
    text = " ".join(["Ana Müller from Berlin works for Siemens."] * 480)[:20_000].strip()
    items.add_items(project, [items.Record(text=text, split="train")], source="bench")
    (item,) = project.items.all()
    spans = [{"start": at * 60, "end": at * 60 + 9 + at % 30, "label": "person"} for at in range(MARKS)]
    spans = [one for one in spans if text[one["start"] : one["end"]].strip()]
    labeller = labellers.model(project, "bench", "Bench")
    prelabels.store(project, labeller, [(item.pk, {"answer": {"spans": spans}}, 0.9, {})])
    batches.publish(project, [batches.Pick(row=item.row)], origin="bench", title="Bench")
    return f"/p/{project.slug}/label"


def marked(page: Any, path: str) -> list[float]:
    """Milliseconds of the page's thread (not of what else runs) for each of so many marks."""
    page.goto(path, wait_until="networkidle")
    page.wait_for_selector("[data-label-page][data-painted]")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_ms() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    times = []
    for _ in range(PRESSES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
        before = busy_ms()
        page.keyboard.press("1")
        page.wait_for_timeout(150)
        times.append(busy_ms() - before)
    page.context.close()
    return times
