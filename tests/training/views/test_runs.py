from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Role
from tests import factories
from training.models import ModelVersion

pytestmark = pytest.mark.django_db

FIGURES: dict[str, Any] = {
    "steps": 120,
    "samples_per_s": 98.5,
    "seconds": 21.0,
    "validation": {"n": 40, "accuracy": 0.9, "loss": 0.31},
    "plan": {
        "layout": {"name": "DDP 2"},
        "memory": {
            "weights": 9 * 10**7,
            "gradients": 9 * 10**7,
            "optimizer": 18 * 10**7,
            "activations": 7 * 10**7,
            "working": 0,
            "total": 43 * 10**7,
        },
        "reasons": [{"code": "copies", "values": {"ranks": 2}, "text": "."}],
    },
    "resources": {
        "shares": {"compute": 0.5, "communication": 0.35, "waiting": 0.05, "beside": 0.1},
        "utilisation": 0.42,
        "peak_bytes": 9 * 10**8,
        "before_bytes": 4 * 10**8,
        "advice": [{"code": "much_communication", "values": {"share": "35 %"}, "text": "."}],
        "communication": {"bytes_sent": 5 * 10**9},
    },
}
PROFILE = {
    "steps": 4,
    "first_step": 5,
    "seconds_a_step": 0.125,
    "shares": {"compute": 0.6, "communication": 0.1, "waiting": 0.1, "idle": 0.2},
    "advice": [{"code": "well_used", "values": {"share": "60 %"}, "text": "."}],
}


@pytest.fixture
def project() -> Project:
    return factories.make_project("Bank intents")


@pytest.fixture
def page(client: Client, project: Project) -> Client:
    client.force_login(factories.add_member(project, Role.ENGINEER))
    return client


def trained(project: Project, dataset: Any = None, **figures: Any) -> ModelVersion:
    model: ModelVersion = factories.make_model(project, dataset)
    ModelVersion.objects.filter(pk=model.pk).update(figures=figures)
    return model


def test_it_tells_where_time_and_memory_went_and_under_which_plan(page: Client, project: Project) -> None:
    run = trained(project, **FIGURES).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    for words in (
        "Where time and memory went",
        "sending gradients",
        "35 % of the time goes into sending between processes",
        "Plan: DDP 2",
        "Every rank holds a whole copy (DDP, 2 ranks)",
        "Estimated 430 MB; measured peak 900 MB, of which 400 MB were there before training.",
        "42.0 %",
        "5.0 GB",
        "n = 120 steps.",
    ):
        assert words in text, words
    assert "Download the trace" not in text


def test_of_a_run_that_draws_replies_it_tells_how_long_that_took(page: Client, project: Project) -> None:
    resources = {**FIGURES["resources"], "shares": {**FIGURES["resources"]["shares"], "drawing": 0.2}}
    run = trained(project, **{**FIGURES, "resources": resources}).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert "replies and rewards" in text and "20 %" in text


@pytest.mark.parametrize(
    ("gain", "threads", "words"),
    [
        (0.31, 2, "31 % faster with Threads 1 → 2: 5 tried in 12.4 s."),
        (0.0, 1, "Nothing was faster than the settings as they were: 5 tried in 12.4 s."),
    ],
)
def test_it_tells_what_the_search_for_faster_settings_gave(
    page: Client, project: Project, gain: float, threads: int, words: str
) -> None:
    start = {"threads": 1, "micro_batch": 16}
    found = {
        "settings": {**start, "threads": threads},
        "start": start,
        "gain": gain,
        "tried": 5,
        "seconds": 12.4,
    }
    run = trained(project, **FIGURES, tuned=found).run
    assert words in page.get(reverse("training:run", args=[project.slug, run.number])).text


def test_it_tells_what_the_profiler_saw_and_hands_the_trace_over(page: Client, project: Project) -> None:
    model = trained(project, **FIGURES, profile=PROFILE)
    model.artifact = factories.make_artifact(**{"trace.json.gz": "a trace"})
    model.save(update_fields=["artifact"])
    address = reverse("training:run", args=[project.slug, model.run.number])
    text = page.get(address).text
    assert "60 % of the time goes into arithmetic" in text
    assert "4 steps of 0.125 s from step 5 on" in text
    assert f'href="{address}/trace"' in text
    answer = page.get(f"{address}/trace")
    assert b"".join(answer.streaming_content) == b"a trace"  # type: ignore[attr-defined]
    assert f"run-{model.run.number}-trace.json.gz" in answer["Content-Disposition"]


def test_it_tells_how_often_new_and_replayed_items_conflicted(page: Client, project: Project) -> None:
    surgery = {"tasks": ["new", "known"], "steps": 40, "conflict_rate": 0.35}
    run = trained(project, precision="fp32", surgery=surgery).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert "new items against those learnt again, in 35 % of 40 steps; each gave way (PCGrad)" in text


@pytest.mark.parametrize(
    ("among", "told"),
    [
        ("dimensions", "one dimension against another, in 35 % of 40 meetings; each gave way (PCGrad)"),
        ("levels", "one level of the tree against another, in 35 % of 40 meetings"),
        ("labels", "one group of labels against another, in 35 % of 40 meetings"),
    ],
)
def test_it_tells_which_tasks_conflicted(page: Client, project: Project, among: str, told: str) -> None:
    surgery = {"among": among, "tasks": ["1", "2"], "steps": 40, "conflict_rate": 0.35, "pairs": []}
    run = trained(project, precision="fp32", surgery=surgery).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert told in text and "<table" not in text.split("How it was taught")[1].split("</section>")[0]
    none_met = {**surgery, "conflict_rate": None, "steps": 0}
    run = trained(project, run.dataset, precision="fp32", surgery=none_met).run
    assert (
        "Conflicting gradients" not in page.get(reverse("training:run", args=[project.slug, run.number])).text
    )


def test_it_shows_how_often_each_two_of_several_tasks_conflicted(page: Client, project: Project) -> None:
    rates = {
        ("helpful", "honest"): (10, 0.9),
        ("helpful", "brief"): (10, 0.04),
        ("honest", "brief"): (0, None),
    }
    surgery = {
        "among": "dimensions",
        "tasks": ["helpful", "honest", "brief"],
        "steps": 20,
        "conflict_rate": 0.47,
        "pairs": [
            {"tasks": list(pair), "steps": steps, "conflict_rate": rate}
            for pair, (steps, rate) in rates.items()
        ],
    }
    named = [{"id": one, "name": one.title()} for one in surgery["tasks"]]  # type: ignore[attr-defined]
    field = {"name": "quality", "type": "rating", "dimensions": named}
    run = trained(project, precision="fp32", surgery=surgery, field=field).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', text)
    assert [
        (name, re.findall(r'class="number(?: shade-(\d))?">([^<]*)<', cells)) for name, cells in rows
    ] == [
        ("Helpful", [("", "·"), ("4", "90 %"), ("0", "4 %")]),
        ("Honest", [("4", "90 %"), ("", "·"), ("0", "–")]),
        ("Brief", [("0", "4 %"), ("0", "–"), ("", "·")]),
    ]
    levels = {**surgery, "among": "levels", "tasks": ["1", "2", "3 4"], "pairs": []}
    run = trained(project, run.dataset, precision="fp32", surgery=levels, field=field).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert '<th scope="col">level 2</th><th scope="col">level 3, 4</th>' in text


def test_it_tells_what_a_layout_was_seen_to_do(page: Client, project: Project) -> None:
    ran = {
        "name": "FSDP2 2 (ZeRO-3)",
        "placements": {"S(0)": 39},
        "bytes_a_step": {"all_gather": 82_568, "reduce_scatter": 96_784},
    }
    run = trained(project, **FIGURES, layout_ran=ran).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert "all_gather 82.5 kB · reduce_scatter 96.7 kB" in text and "S(0): 39" in text


def test_it_tells_how_the_run_was_taught(page: Client, project: Project) -> None:
    taught = {
        "name": "adaptive",
        "difficulty": "cross-validated loss",
        "competences": [0.3, 0.4, 0.35],
        "met": 90,
        "once_right": 80,
        "forgotten": 7,
    }
    run = trained(project, precision="bf16", curriculum=taught, base_distance=0.0123).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    for words in (
        "How it was taught",
        "<dd>bf16</dd>",
        "<dd>harder or easier, as it learns</dd>",
        "the loss of probes that did not learn from the item",
        "30 % at first, 35 % at the end, looked at 3 times",
        "7 times a right answer became wrong, among 90 items met, of which 80 were right once",
        "1.23 %",
    ):
        assert words in text, words
    plain = trained(project, run.dataset, precision="fp32").run
    text = page.get(reverse("training:run", args=[project.slug, plain.number])).text
    assert "How it was taught" in text and "Difficulty from" not in text
    responses = {"name": "competence", "difficulty": "base loss", "competences": [0.3, 1.0], "block": 1}
    tuned = trained(project, run.dataset, precision="fp32", curriculum=responses).run
    text = page.get(reverse("training:run", args=[project.slug, tuned.number])).text
    assert "how unlikely the base model finds each word of the response" in text
    assert "30 % at first, 100 % at the end" in text and "Forgotten" not in text


def test_a_run_of_an_older_release_has_no_such_part_and_no_trace(page: Client, project: Project) -> None:
    run = trained(project, steps=3).run
    address = reverse("training:run", args=[project.slug, run.number])
    assert "Where time and memory went" not in page.get(address).text
    assert page.get(f"{address}/trace").status_code == 404


def test_it_compares_two_runs_by_their_settings_and_figures(page: Client, project: Project) -> None:
    one = trained(project, **FIGURES).run
    other = trained(project, one.dataset, **{**FIGURES, "samples_per_s": 50.0}).run
    other.spec |= {"c": 99.0, "base": {"name": "smollm2", "sha256": "abc"}}
    other.save(update_fields=["spec"])
    text = page.get(reverse("training:run", args=[project.slug, one.number])).text
    assert 'name="other"' in text and f'value="{other.number}"' in text
    address = reverse("training:run_compare", args=[project.slug])
    text = page.get(address, {"one": one.number, "other": other.number}).text
    assert f"Run {one.number} and run {other.number}" in text
    different = text[text.index("Settings that differ") : text.index("The same in both")]
    assert '<th scope="row">Fit (C)</th><td>10.0</td><td>99.0</td>' in different
    assert '<th scope="row">Base model</th><td>–</td><td>smollm2</td>' in different
    assert "Seed" not in different and "Dataset" not in different
    assert "98.5" in text and "50.0" in text and "900 MB" in text and "90.0 %" in text


@pytest.mark.parametrize(
    ("acts", "idle", "words"),
    [
        ({"objective": "spans"}, {"objective": "rating"}, "Tags of spans"),
        ({"before": "/a/dataset"}, {"before": ""}, "Replayed share"),
        ({"compression": "topk"}, {"compression": "powersgd"}, "Share of gradients sent"),
        ({"gradient_surgery": True}, {"gradient_surgery": False}, "Tasks of the surgery"),
    ],
)
def test_settings_that_do_nothing_are_left_out(
    page: Client, project: Project, acts: dict[str, Any], idle: dict[str, Any], words: str
) -> None:
    run = trained(project).run
    run.learner = "finetune"
    every = {"tagging": "bio", "replay": 0.25, "compression_share": 0.01, "surgery_tasks": "labels"}
    for spec, shown in ((acts, True), (idle, False)):
        run.spec = every | spec
        run.save(update_fields=["spec", "learner"])
        text = page.get(reverse("training:run", args=[project.slug, run.number])).text
        assert (f"<dt>{words}</dt>" in text) == shown


def rows_of(text: str) -> list[list[str]]:
    """The cells of the table of figures, row by row."""
    table = text[text.rindex("<tbody>") : text.rindex("</tbody>")]
    return [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.split("<tr>")[1:]]


def test_it_compares_what_came_of_runs_of_language_models(page: Client, project: Project) -> None:
    """A run says what its objective has; a dash where only the other one has such a figure."""
    sft = {
        "objective": "sft",
        "validation": {"n": 8, "accuracy": 0.512, "loss": 1.25, "perplexity": 3.4903, "tokens": 90},
        "dropped": {"train": {"examples": 38, "dropped_too_long": 3, "dropped_empty": 1}},
        "tokens_per_s": 812.34,
        "parameters_learning": 921_600,
        "seconds": 30.0,
        "resources": {"peak_bytes": 9 * 10**8},
    }
    reward = {
        **sft,
        "objective": "reward",
        "validation": {"n": 8, "accuracy": 0.875, "loss": 0.4, "margin": 1.5},
    }
    taught = {"objective": "dpo", "tokens_per_s": 24.0, "reward_before": -0.25, "reward": 0.5, "seconds": 9.0}
    runs = [trained(project, **sft).run]
    runs += [trained(project, runs[0].dataset, **told).run for told in (reward, taught)]
    address = reverse("training:run_compare", args=[project.slug])
    text = page.get(address, {"one": runs[0].number, "other": runs[1].number}).text
    assert rows_of(text) == [
        ["Tokens guessed", "51.2 %", "–"],
        ["Pairs ordered as people did", "–", "87.5 %"],
        ["Validation loss", "1.2500", "0.4000"],
        ["Perplexity", "3.49", "–"],
        ["Margin", "–", "1.500"],
        ["Tokens a second", "812.3", "812.3"],
        ["Seconds in all", "30.0", "30.0"],
        ["Weights that learn", "921,600", "921,600"],
        ["Examples dropped", "4", "4"],
        ["Peak memory", "900 MB", "900 MB"],
    ]
    text = page.get(address, {"one": runs[2].number, "other": runs[2].number}).text
    assert rows_of(text) == [
        ["Mean reward", "0.500", "0.500"],
        ["Mean reward gained", "0.750", "0.750"],
        ["Tokens a second", "24.0", "24.0"],
        ["Seconds in all", "9.0", "9.0"],
    ]


def test_it_tells_what_a_run_went_through(page: Client, project: Project) -> None:
    events = [
        {"kind": "network", "step": 7, "text": "connections were lost 3 times in ten minutes", "at": 1.0},
        {"kind": "diverged", "step": 8, "text": "rank 1 held other weights than rank 0", "ranks": [1]},
    ]
    run = trained(project, recovered=events).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    for words in (
        "<dt>step 7 · the processes lost each other again and again</dt>"
        "<dd>connections were lost 3 times in ten minutes</dd>",
        "<dt>step 8 · a process held other weights</dt><dd>rank 1 held other weights than rank 0</dd>",
    ):
        assert words in text, words


def test_a_comparison_needs_two_runs_of_the_project(page: Client, project: Project) -> None:
    run = trained(project).run
    address = reverse("training:run_compare", args=[project.slug])
    for query in (
        {},
        {"one": run.number},
        {"one": "x", "other": run.number},
        {"one": run.number, "other": 99},
    ):
        assert page.get(address, query).status_code == 404
    same = page.get(address, {"one": run.number, "other": run.number}).text
    assert "The settings are the same." in same


@pytest.mark.parametrize("path", ["runs/1/trace", "runs/compare?one=1&other=1"])
def test_it_is_for_engineers_of_the_project(client: Client, project: Project, path: str) -> None:
    trained(project)
    client.force_login(factories.add_member(project, Role.ANNOTATOR))
    assert client.get(f"/admin/p/{project.slug}/{path}").status_code == 403


def test_it_tells_where_a_run_stopped_early_and_what_was_kept(page: Client, project: Project) -> None:
    told = {"planned": 1200, "step": 480, "kept": 360, "validation_loss": 0.28114}

    def text_of(**changes: Any) -> str:
        run = trained(project, precision="fp32", stopping={**told, **changes}).run
        return page.get(reverse("training:run", args=[project.slug, run.number])).text

    assert "It stopped early, at step 480 of 1,200." in text_of()
    assert "Kept is the checkpoint of step 360, with the lowest validation loss: 0.2811." in text_of()
    assert "It trained to the end. Kept is the checkpoint of step 360" in text_of(step=1200)
    assert "There were no validation items to watch" in text_of(kept=None, validation_loss=None)


def test_it_says_where_sending_was_not_timed_instead_of_nothing(page: Client, project: Project) -> None:
    resources = {
        **FIGURES["resources"],
        "shares": {"together": 0.85, "waiting": 0.05, "beside": 0.1},
        "advice": [{"code": "sending_unmeasured", "values": {}, "text": "."}],
    }
    run = trained(project, **{**FIGURES, "resources": resources}).run
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert "arithmetic and sending" in text and "sending between processes is not timed apart" in text
    assert "sending gradients" not in text and "Bytes sent by a process" not in text
