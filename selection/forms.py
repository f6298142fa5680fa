"""The launch form, drawn from the strategies' and learners' own settings dataclasses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.wording import said
from annotation.models import Project
from annotation.selectors import schemas
from selection.models import EmbeddingChoice, RefreshPolicy, Round
from selection.round_spec import DEFAULT_STRATEGY, MOST_SEED, RoundSpec
from selection.selectors import values
from selection.setting_words import choice_name, words_of
from selection.strategies.registry import STRATEGIES, Strategy
from training import learners, settings_schema
from training.selectors import base_models
from training.settings_schema import Setting

STRATEGY_PREFIX, LEARNER_PREFIX = "strategy-", "learner-"
SELDOM = frozenset(  # settings of learners that most rounds leave as they are
    {
        *("curriculum", "patience", "max_length", "base_penalty", "gradient_surgery", "surgery_tasks"),
        *(
            "precision",
            "scoring",
            "layout",
            "compression",
            "compression_share",
            "autotune_s",
            "profile_steps",
        ),
        *("gradient_checkpointing", "rank", "dpo_beta"),
    }
)
OF_SPANS = "tagging"  # other types of label have no use for it


def spec_to_start_from(project: Project, last: Round | None) -> RoundSpec:
    """What the form is filled with: the last round's order with a fresh seed, else the project's own
    settings.
    """
    if last is None:
        schema = schemas.current(project)
        kind = schemas.label_field(schema)["type"] if schema else ""
        return RoundSpec(
            learner=learners.fitting("finetune", kind),
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
    follow from them.
    """

    strategy = forms.CharField(widget=forms.HiddenInput)
    learner = forms.CharField(widget=forms.HiddenInput)
    batch_size = forms.IntegerField(
        label=_("Batch size"), min_value=0, help_text=_("Items to be labelled next; 0: only train and judge.")
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
        label=_("Items to score at most"),
        min_value=1,
        help_text=_(
            "A larger pool is sampled evenly, which loses next to nothing: a new model scores every item anew, "
            "some hundred a second after a fine-tune. After a probe a million take seconds: raise it."
        ),
    )

    def __init__(self, data: Any = None, *, spec: RoundSpec, project: Project | None = None) -> None:
        self.spec, self.project = spec, project
        super().__init__(data, initial=_initial(spec), auto_id="id_%s")
        if project is not None and (spec.weigh_by_value or values.newest(project)):
            self.fields["weigh_by_value"] = forms.BooleanField(
                label=_("Weigh by value"),
                required=False,
                help_text=_("Training items count by what their labels are worth, as last worked out."),
            )
        if spec.learner == "finetune":
            self.fields["compare_fresh"] = forms.BooleanField(
                label=_("Compare with a fresh start"),
                required=False,
                help_text=_(
                    "Going on with the deployed model: trains from the base model as well and puts the better "
                    "of the two forward, the cheaper where they do not differ clearly."
                ),
            )
        self._add(STRATEGY_PREFIX, STRATEGIES[spec.strategy], spec.settings)
        self._add(LEARNER_PREFIX, self._learner(), spec.learner_settings)

    def _add(self, prefix: str, owner: Strategy | learners.Learner, values: dict[str, Any]) -> None:
        for setting in settings_schema.describe(owner.settings):
            if setting.name == OF_SPANS and self.project is not None and not _marks_spans(self.project):
                continue
            field = _field(setting, owner.name)
            field.initial = values.get(setting.name, setting.default)
            if setting.name == "base_model" and self.project is not None:
                field = _base_models(self.project, owner.name, field)
            self.fields[prefix + setting.name] = field

    @property
    def common(self) -> list[forms.BoundField]:
        names = ("batch_size", "control_share", "seed", "pool_limit", "weigh_by_value", "compare_fresh")
        return [self[name] for name in names if name in self.fields]

    @property
    def strategy_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(STRATEGY_PREFIX)]

    @property
    def learner_fields(self) -> list[forms.BoundField]:
        return [field for field in self._of_learner() if _setting(field) not in SELDOM]

    @property
    def seldom_fields(self) -> list[forms.BoundField]:
        return [field for field in self._of_learner() if _setting(field) in SELDOM]

    @property
    def seldom_changed(self) -> bool:
        """Whether one of them is not at its default, or is refused: then they are shown at once."""
        defaults = {one.name: one.default for one in settings_schema.describe(self._learner().settings)}
        return any(
            field.errors or str(field.value()) != str(defaults[_setting(field)])
            for field in self.seldom_fields
        )

    def _of_learner(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(LEARNER_PREFIX)]

    def _learner(self) -> learners.Learner:
        return learners.LEARNERS[self.spec.learner]

    def clean(self) -> dict[str, Any]:
        """Read the settings by the dataclasses themselves, so that the form refuses what they refuse."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            for prefix, settings_class in (
                (STRATEGY_PREFIX, STRATEGIES[self.spec.strategy].settings),
                (LEARNER_PREFIX, self._learner().settings),
            ):
                settings_schema.read(settings_class, _own(cleaned, prefix))
            cleaned["spec"] = RoundSpec(
                strategy=self.spec.strategy,
                learner=self.spec.learner,
                settings=_own(cleaned, STRATEGY_PREFIX),
                learner_settings=_own(cleaned, LEARNER_PREFIX),
                weigh_by_value=cleaned.get("weigh_by_value", False),
                compare_fresh=cleaned.get("compare_fresh", False),
                **{name: cleaned[name] for name in ("batch_size", "control_share", "seed", "pool_limit")},
            )
        except ValueError as error:
            self.refuse(said(error))
        return cleaned

    def refuse(self, sentence: str) -> None:
        """Put a refusal beside the setting that it begins with, as those of settings dataclasses do; else above
        all."""
        name, _colon, rest = sentence.partition(": ")
        for prefix in (STRATEGY_PREFIX, LEARNER_PREFIX):
            if prefix + name in self.fields:
                self.add_error(prefix + name, rest[:1].upper() + rest[1:])
                return
        self.add_error(None, sentence)


def _initial(spec: RoundSpec) -> dict[str, Any]:
    return {
        name: getattr(spec, name)
        for name in (
            *("strategy", "learner", "batch_size", "control_share", "seed", "pool_limit"),
            *("weigh_by_value", "compare_fresh"),
        )
    }


def _setting(field: forms.BoundField) -> str:
    return field.name.removeprefix(LEARNER_PREFIX)


def _marks_spans(project: Project) -> bool:
    schema = schemas.current(project)
    return schema is not None and schemas.label_field(schema)["type"] == "spans"


def _own(cleaned: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in cleaned.items() if name.startswith(prefix)}


def _field(setting: Setting, owner: str) -> forms.Field:
    label, hint = words_of(owner, setting.name)
    if setting.kind == "bool":
        return forms.BooleanField(label=label, help_text=hint, required=False)
    if setting.kind == "choice":
        choices = [(choice, choice_name(setting.name, choice)) for choice in setting.choices]
        return forms.ChoiceField(label=label, help_text=hint, choices=choices)
    if setting.kind == "int":
        return forms.IntegerField(label=label, help_text=hint)
    if setting.kind == "float":
        return forms.FloatField(label=label, help_text=hint, widget=forms.NumberInput(attrs={"step": "any"}))
    return forms.CharField(label=label, help_text=hint, required=setting.default != "")


def _base_models(project: Project, learner: str, plain: forms.Field) -> forms.Field:
    """Those to choose from; one that was chosen for the last round and is gone since stays, to be refused."""
    kind = base_models.Kind.ENCODER if learner == "finetune" else base_models.Kind.LANGUAGE
    names, default = base_models.names(project, kind), base_models.default(project, kind)
    first = _("default (%(name)s)") % {"name": default.name} if default else _("default")
    known = dict.fromkeys([*names, *([plain.initial] if plain.initial else [])])
    return forms.ChoiceField(
        label=plain.label,
        help_text=plain.help_text,
        required=False,
        initial=plain.initial,
        choices=[("", first), *((name, name) for name in known)],
    )


class LayerForm(forms.ModelForm):
    """Which layer of the encoder the project's vectors come from."""

    class Meta:
        model = EmbeddingChoice
        fields = ["layer"]
        labels = {"layer": _("Layer of the encoder")}


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
