"""The launch form, drawn from the strategies' and learners' own settings dataclasses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation.models import Project
from selection.models import RefreshPolicy, Round
from selection.round_spec import DEFAULT_STRATEGY, MOST_SEED, RoundSpec
from selection.strategies.registry import STRATEGIES
from training import learners, settings_schema
from training.settings_schema import Setting

STRATEGY_PREFIX, LEARNER_PREFIX = "strategy-", "learner-"

# Words for settings that people meet. A setting without words shows its own name.
WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "skip_share": (_("Skip the most unsure"), _("Share of the most uncertain items left out: mostly noise.")),
    "percentile": (_("Percentile"), _("What lies above it is the tail that items are drawn from.")),
    "alpha": (_("Weight of uncertainty"), ""),
    "beta": (_("Weight of diversity"), ""),
    "gamma": (_("Weight of hardness"), ""),
    "relevance_share": (_("Relevance against diversity"), _("1: uncertainty alone; 0: diversity alone.")),
    "epochs": (_("Epochs"), _("Passes over the data; 0 lets the amount of data decide.")),
    "batch_size": (_("Items a training step"), ""),
    "learning_rate": (_("Learning rate"), ""),
    "max_length": (_("Longest text in tokens"), _("Longer texts are cut.")),
    "processes": (
        _("Processes"),
        _("Ranks under torchrun: one for each graphics card. On a processor more than one gains nothing."),
    ),
    "c": (_("Fit (C)"), _("Inverse strength of the regularisation: larger fits the labels closer.")),
}


def spec_to_start_from(project: Project, last: Round | None) -> RoundSpec:
    """What the form is filled with: the last round's order with a fresh seed, else the project's own
    settings.
    """
    if last is None:
        return RoundSpec(
            strategy=DEFAULT_STRATEGY,
            batch_size=project.batch_size,
            control_share=project.control_share,
            seed=1,
        )
    spec = RoundSpec.from_json(last.spec)
    if spec.strategy not in STRATEGIES:
        spec = replace(spec, strategy=DEFAULT_STRATEGY, settings={})
    return replace(spec, seed=(spec.seed + 1) % MOST_SEED, note="")


class LaunchForm(forms.Form):
    """One screen for one round. The strategy and the learner are chosen above it, since the other fields
    follow
    from them.
    """

    strategy = forms.CharField(widget=forms.HiddenInput)
    learner = forms.CharField(widget=forms.HiddenInput)
    batch_size = forms.IntegerField(
        label=_("Batch size"), min_value=1, help_text=_("Items to be labelled next.")
    )
    control_share = forms.FloatField(
        label=_("Control arm"),
        min_value=0,
        max_value=1,
        help_text=_("Share of the batch drawn at random, so that the gain stays measurable."),
    )
    seed = forms.IntegerField(
        label=_("Seed"), min_value=0, max_value=MOST_SEED, help_text=_("The same seed gives the same picks.")
    )
    pool_limit = forms.IntegerField(
        label=_("Items to score at most"), min_value=1, help_text=_("A larger pool is sampled evenly.")
    )

    def __init__(self, data: Any = None, *, spec: RoundSpec) -> None:
        self.spec = spec
        super().__init__(data, initial=_initial(spec), auto_id="id_%s")
        self._add(STRATEGY_PREFIX, STRATEGIES[spec.strategy].settings, spec.settings)
        self._add(LEARNER_PREFIX, learners.LEARNERS[spec.learner].settings, spec.learner_settings)

    def _add(self, prefix: str, settings_class: type, values: dict[str, Any]) -> None:
        for setting in settings_schema.describe(settings_class):
            field = _field(setting)
            field.initial = values.get(setting.name, setting.default)
            self.fields[prefix + setting.name] = field

    @property
    def common(self) -> list[forms.BoundField]:
        return [self[name] for name in ("batch_size", "control_share", "seed", "pool_limit")]

    @property
    def strategy_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(STRATEGY_PREFIX)]

    @property
    def learner_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(LEARNER_PREFIX)]

    def clean(self) -> dict[str, Any]:
        """Read the settings by the dataclasses themselves, so that the form refuses what they refuse."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            for prefix, settings_class in (
                (STRATEGY_PREFIX, STRATEGIES[self.spec.strategy].settings),
                (LEARNER_PREFIX, learners.LEARNERS[self.spec.learner].settings),
            ):
                settings_schema.read(settings_class, _own(cleaned, prefix))
            cleaned["spec"] = RoundSpec(
                strategy=self.spec.strategy,
                learner=self.spec.learner,
                settings=_own(cleaned, STRATEGY_PREFIX),
                learner_settings=_own(cleaned, LEARNER_PREFIX),
                **{name: cleaned[name] for name in ("batch_size", "control_share", "seed", "pool_limit")},
            )
        except ValueError as error:
            self.add_error(None, str(error))
        return cleaned


def _initial(spec: RoundSpec) -> dict[str, Any]:
    return {
        name: getattr(spec, name)
        for name in ("strategy", "learner", "batch_size", "control_share", "seed", "pool_limit")
    }


def _own(cleaned: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in cleaned.items() if name.startswith(prefix)}


def _field(setting: Setting) -> forms.Field:
    label, hint = WORDS.get(setting.name, (setting.name.replace("_", " ").capitalize(), ""))
    if setting.kind == "bool":
        return forms.BooleanField(label=label, help_text=hint, required=False)
    if setting.kind == "choice":
        return forms.ChoiceField(label=label, help_text=hint, choices=[(c, c) for c in setting.choices])
    if setting.kind == "int":
        return forms.IntegerField(label=label, help_text=hint)
    if setting.kind == "float":
        return forms.FloatField(label=label, help_text=hint, widget=forms.NumberInput(attrs={"step": "any"}))
    return forms.CharField(label=label, help_text=hint)


class RefreshForm(forms.ModelForm):
    """Whether and how often a project's batch is picked again while people label it."""

    class Meta:
        model = RefreshPolicy
        fields = ["is_on", "labels", "seconds"]
        labels = {
            "is_on": _("Refresh while people label"),
            "labels": _("New labels needed"),
            "seconds": _("Seconds between two, at least"),
        }

    def __init__(self, *arguments: Any, **words: Any) -> None:
        super().__init__(*arguments, **words)
        self.fields["labels"] = forms.IntegerField(
            label=_("New labels needed"), min_value=1, max_value=100_000
        )
