"""How sure an item's label is, from who said what and how right they are: one E-step, no fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from annotation.models import ConsensusFit, LabellerSkill, Project
from annotation.quality.consensus import PRIOR_ACCURACY, SMOOTHING, posterior_of, said_given_true
from annotation.quality.intervals import Floats
from annotation.task_types import registry
from annotation.task_types.registry import Field
from annotation.task_types.values import Combined

TIED = 1e-6  # beliefs closer than this are equal
LEAST = 0.0005  # smaller beliefs are not kept
ELSE = ""  # a class that stands for what nobody has said yet, where the type cannot list its classes


@dataclass(frozen=True)
class Skill:
    """One person. `counts`: label said -> true class -> expected number."""

    accuracy: float
    counts: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class FieldModel:
    """What is known of one field: how frequent its classes are, and how its labellers answer.

    Whoever has no skill yet is taken to be as right as all together, on every class alike.
    """

    prior: Mapping[str, float]
    pooled_accuracy: float = PRIOR_ACCURACY
    smoothing: float = SMOOTHING
    skills: Mapping[int, Skill] = field(default_factory=dict)

    def belief(self, answers: Sequence[tuple[int, str]]) -> dict[str, float]:
        """The posterior over the classes of an item that labellers (ids) gave these labels; sums to 1.

        A label that the model has not met is as rare as its rarest class. O(answers · classes).
        """
        prior = dict(self.prior)
        rarest = min(prior.values(), default=1.0)
        prior |= {said: rarest for _labeller, said in answers if said not in prior}
        if len(prior) == 1:
            prior[ELSE] = rarest
        classes = list(prior)
        weights = np.array(list(prior.values()))
        found = posterior_of(weights / weights.sum(), self._likelihoods(classes, answers))
        if np.isnan(found).any():
            found = np.full(len(classes), 1.0 / len(classes))
        return dict(zip(classes, found.tolist(), strict=True))

    def _likelihoods(self, classes: list[str], answers: Sequence[tuple[int, str]]) -> Floats:
        place = {name: at for at, name in enumerate(classes)}
        counts = np.zeros((len(answers), len(classes)))
        totals = np.zeros((len(answers), len(classes)))
        accuracy = np.full(len(answers), self.pooled_accuracy)
        for row, (labeller, said) in enumerate(answers):
            skill = self.skills.get(labeller)
            if skill is None:
                continue
            accuracy[row] = skill.accuracy
            for given, by_class in skill.counts.items():
                for name, count in by_class.items():
                    if name in place:
                        totals[row, place[name]] += count
                        if given == said:
                            counts[row, place[name]] = count
        said_codes = np.array([place[said] for _labeller, said in answers], dtype=np.int64)
        return said_given_true(counts, totals, said_codes, accuracy, self.smoothing)


Models = Mapping[str, FieldModel]  # by field


def models(project: Project, definition: Mapping[str, Any], labellers: Collection[int]) -> Models:
    """What is known of each categorical field, and of these labellers. Two queries, one before the first fit.

    A field without a fit has equally frequent classes.
    """
    categories = {
        one["name"]: names
        for one in definition["fields"]
        if (names := registry.task_type(one).categories(one)) is not None
    }
    if not categories:
        return {}
    fits = {
        fit.field: fit
        for fit in ConsensusFit.objects.filter(project=project, is_current=True)
        if fit.field in categories
    }
    skills: dict[int, dict[int, Skill]] = {fit.pk: {} for fit in fits.values()}
    if fits:
        found = LabellerSkill.objects.filter(fit__in=skills, labeller__in=labellers)
        for fit_id, labeller, accuracy, counts in found.values_list(
            "fit_id", "labeller_id", "accuracy", "counts"
        ):
            skills[fit_id][labeller] = Skill(accuracy, counts)
    return {
        name: _model(names, fits[name], skills[fits[name].pk]) if name in fits else _model(names)
        for name, names in categories.items()
    }


def _model(
    names: Sequence[str], fit: ConsensusFit | None = None, skills: Mapping[int, Skill] | None = None
) -> FieldModel:
    if fit is None:
        return FieldModel(dict.fromkeys([*names, ELSE] if len(names) < 2 else names, 1.0))
    prior = dict(zip(fit.classes, fit.prior, strict=True))
    rarest = min(prior.values(), default=1.0)
    return FieldModel(
        {**dict.fromkeys(names, rarest), **prior}, fit.pooled_accuracy, fit.smoothing, skills or {}
    )


@dataclass(frozen=True)
class Consensus:
    """`certainty`: the least belief among the fields; 0 where a field is tied."""

    combined: Combined
    certainty: float


def consensus(
    definition: Mapping[str, Any], looks: Sequence[tuple[int, Mapping[str, Any]]], found: Models
) -> Consensus:
    """What looks (labeller, value) come to: categorical fields by the belief in each class, others by vote.

    The answer is the likeliest class that somebody gave. Where it is not the likeliest of all, or another is as
    likely, nobody's word stands: the field is tied.
    """
    certainty: list[float] = []

    def decide(one: Field, answering: Sequence[int]) -> Combined | None:
        model = found.get(one["name"])
        category = registry.task_type(one).category
        said = [(looks[at][0], category(one, looks[at][1][one["name"]])) for at in answering]
        if model is None or not all(label for _labeller, label in said):
            return None
        belief = model.belief([(labeller, label or "") for labeller, label in said])
        best = max(belief.values())
        leaders = [label for label, share in belief.items() if share >= best - TIED]
        given = next(
            (at for at, (_who, label) in zip(answering, said, strict=True) if label in leaders), None
        )
        is_tied = len(leaders) > 1 or given is None
        certainty.append(0.0 if is_tied else best)
        kept = {label: round(share, 4) for label, share in belief.items() if share >= LEAST and label != ELSE}
        answer = None if is_tied or given is None else looks[given][1][one["name"]]
        return Combined(answer, dict(sorted(kept.items(), key=lambda pair: -pair[1])[:20]))

    combined = registry.combine(definition, [value for _labeller, value in looks], decide=decide)
    return Consensus(combined, min(certainty, default=1.0))


@dataclass(frozen=True)
class PersonSkill:
    name: str
    answers: int
    accuracy: float


@dataclass(frozen=True)
class Learnt:
    """The current fit of one field, and what it says of its people, the surest first."""

    fit: ConsensusFit
    people: list[PersonSkill]


def learnt(project: Project, name: str) -> Learnt | None:
    """What the last fit of a field says; None without one. Two queries."""
    fit = ConsensusFit.objects.filter(project=project, field=name, is_current=True).first()
    if fit is None:
        return None
    skills = (
        LabellerSkill.objects.filter(fit=fit).select_related("labeller__user").order_by("-accuracy", "pk")
    )
    people = [
        PersonSkill(str(one.labeller.user or one.labeller.name), one.answers, one.accuracy) for one in skills
    ]
    return Learnt(fit, people)
