"""What training runs cost and under which plan they ran, as their results tell it; two runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.http import Http404
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.templatetags.gyre import file_size
from jobs.services import artifacts
from training import plan_words, setting_words
from training.models import ModelVersion, TrainingRun
from training.objectives.language import DPO, REWARD, SFT

TRACE = "trace.json.gz"
_HIDDEN = ("labels", "field", "settings", "spec_version")  # of a spec: long, or told elsewhere
# Settings that do nothing beside others of the spec.
_IDLE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "tagging": lambda spec: spec.get("objective") != "spans",
    "replay": lambda spec: not spec.get("before"),
    "compression_share": lambda spec: spec.get("compression") != "topk",
    "surgery_tasks": lambda spec: not spec.get("gradient_surgery"),
}


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Of a finished run.

    Attributes:
        layout, reasons: the plan. memory: estimated bytes by part, with "total".
        shares: of training time; "communication" where all sending was timed, else "together" with arithmetic.
        steps: how many. peak, before: measured bytes; 0 where the system tells none.
        utilisation: share of the machine's matrix rate. sent: bytes a process sent.
        profiled: what the profiler saw: shares, seconds_a_step, steps, first_step.
        handed, placements: what a process handed to the others in one step, and how weights lay, as measured; ""
            for one process.
        tuned: what the search for faster settings came to, in words; "" where there was none.
    """

    layout: str
    reasons: list[str]
    memory: dict[str, int]
    shares: dict[str, float]
    steps: int
    peak: int
    before: int
    utilisation: float
    sent: int | None = None
    advice: list[str] = field(default_factory=list)
    profiled: dict[str, Any] | None = None
    handed: str = ""
    placements: str = ""
    tuned: str = ""


@dataclass(frozen=True)
class Difference:
    """One setting of two runs."""

    name: str
    one: Any
    other: Any

    @property
    def differs(self) -> bool:
        return bool(self.one != self.other)


def spent(run: TrainingRun) -> Spent | None:
    """None of a run without a model, or one that was trained before plans were recorded."""
    figures = _figures(run)
    if "plan" not in figures or "resources" not in figures:
        return None
    plan, resources = figures["plan"], figures["resources"]
    profiled = figures.get("profile")
    is_timed = "communication" in resources["shares"]
    advice = (profiled or resources).get("advice", [])
    return Spent(
        layout=plan["layout"]["name"],
        reasons=[plan_words.in_words(reason) for reason in plan["reasons"]],
        memory=plan["memory"],
        shares=resources["shares"],
        steps=figures["steps"],
        peak=resources["peak_bytes"],
        before=resources["before_bytes"],
        utilisation=resources["utilisation"],
        sent=resources.get("communication", {}).get("bytes_sent") if is_timed else None,
        advice=[plan_words.in_words(reason) for reason in advice],
        profiled=profiled,
        **_ran(figures.get("layout_ran") or {}),
        tuned=_tuned(figures.get("tuned")),
    )


def _ran(found: dict[str, Any]) -> dict[str, str]:
    """What of a layout was seen to run; names of collectives and placements are torch's own."""
    handed = found.get("bytes_a_step", {})
    return {
        "handed": " · ".join(f"{name} {file_size(size)}" for name, size in handed.items()),
        "placements": " · ".join(f"{name}: {count}" for name, count in found.get("placements", {}).items()),
    }


def _tuned(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    told = {"tried": found["tried"], "seconds": number_format(found["seconds"])}
    if not found["gain"]:
        return (
            _("Nothing was faster than the settings as they were: %(tried)s tried in %(seconds)s s.") % told
        )
    changed = {name: value for name, value in found["settings"].items() if value != found["start"][name]}
    words = ", ".join(
        f"{setting_words.words_of('finetune', name)[0]} {found['start'][name]} → {value}"
        for name, value in changed.items()
    )
    return _("%(gain)s %% faster with %(words)s: %(tried)s tried in %(seconds)s s.") % {
        **told,
        "gain": number_format(100 * found["gain"], 0),
        "words": words,
    }


def trace(run: TrainingRun) -> Path:
    """The profiler's trace. Raises Http404 where there is none."""
    model = ModelVersion.objects.filter(run=run).select_related("artifact").first()
    if model is None:
        raise Http404(_("This run has no model, so there is no trace."))
    path = artifacts.path(model.artifact) / TRACE
    if not path.is_file():
        raise Http404(_("The profiler left no trace of this run: set profile_steps above 0."))
    return path


def settings_of(run: TrainingRun) -> dict[str, Any]:
    """What a person wants to read of its spec, in its order, without what does nothing; fractions in six
    digits, choices in words.
    """
    return {
        name: setting_words.value_words(name, _readable(value))
        for name, value in run.spec.items()
        if name not in _HIDDEN and not (name in _IDLE and _IDLE[name](run.spec))
    }


def name_of(run: TrainingRun, setting: str) -> str:
    """What people read as the name of a setting of a run."""
    return str(setting_words.words_of(run.learner, setting)[0])


def _readable(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict) and "name" in value:  # of a base model: its hash is for machines
        return value["name"]
    return value


def compare(one: TrainingRun, other: TrainingRun) -> list[Difference]:
    """All settings of two runs, those that differ first; None where a run has not such a setting."""
    specs = [settings_of(run) for run in (one, other)]
    rows = [
        Difference(_("Learner"), one.get_learner_display(), other.get_learner_display()),
        Difference(_("Dataset"), str(one.dataset), str(other.dataset)),
    ]
    for name in dict.fromkeys([*specs[0], *specs[1]]):
        words = name_of(one if name in specs[0] else other, name)
        rows.append(Difference(words, specs[0].get(name), specs[1].get(name)))
    return sorted(rows, key=lambda row: not row.differs)


@dataclass(frozen=True)
class Outcome:
    """One figure of two runs. `kind`: share, number, whole or bytes; `digits` of a share or number."""

    name: str
    kind: str
    digits: int
    one: float | None
    other: float | None

    @property
    def pair(self) -> tuple[float | None, float | None]:
        return self.one, self.other


# What a comparison shows of results, under the same names as the pages of models: key, name, kind, digits.
_OUTCOMES = (
    ("accuracy", _lazy("Validation accuracy"), "share", 1),
    ("guessed", _lazy("Tokens guessed"), "share", 1),
    ("ordered", _lazy("Pairs ordered as people did"), "share", 1),
    ("loss", _lazy("Validation loss"), "number", 4),
    ("perplexity", _lazy("Perplexity"), "number", 2),
    ("margin", _lazy("Margin"), "number", 3),
    ("reward", _lazy("Mean reward"), "number", 3),
    ("gained", _lazy("Mean reward gained"), "number", 3),
    ("samples_per_s", _lazy("Texts a second"), "number", 1),
    ("tokens_per_s", _lazy("Tokens a second"), "number", 1),
    ("seconds", _lazy("Seconds in all"), "number", 1),
    ("learning", _lazy("Weights that learn"), "whole", 0),
    ("dropped", _lazy("Examples dropped"), "whole", 0),
    ("peak", _lazy("Peak memory"), "bytes", 0),
)
_ACCURACY = {SFT: "guessed", DPO: "ordered", REWARD: "ordered"}


def outcomes(one: TrainingRun, other: TrainingRun) -> list[Outcome]:
    """The figures of two runs, side by side; those that neither tells are left out."""
    found = [_outcome(run) for run in (one, other)]
    return [
        Outcome(name, kind, digits, *(told.get(key) for told in found))
        for key, name, kind, digits in _OUTCOMES
        if any(told.get(key) is not None for told in found)
    ]


def _outcome(run: TrainingRun) -> dict[str, Any]:
    """What a run's result tells, by the keys of `_OUTCOMES`."""
    figures = _figures(run)
    validation, dropped = figures.get("validation") or {}, (figures.get("dropped") or {}).get("train") or {}
    before, reward = figures.get("reward_before"), figures.get("reward")
    return {
        _ACCURACY.get(figures.get("objective", ""), "accuracy"): validation.get("accuracy"),
        **{name: validation.get(name) for name in ("loss", "perplexity", "margin")},
        **{name: figures.get(name) for name in ("reward", "samples_per_s", "tokens_per_s", "seconds")},
        "gained": None if before is None or reward is None else reward - before,
        "learning": figures.get("parameters_learning"),
        "dropped": dropped["dropped_too_long"] + dropped["dropped_empty"] if dropped else None,
        "peak": (figures.get("resources") or {}).get("peak_bytes") or None,
    }


def _figures(run: TrainingRun) -> dict[str, Any]:
    model = ModelVersion.objects.filter(run=run).only("figures").first()
    return dict(model.figures or {}) if model is not None else {}
