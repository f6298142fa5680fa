"""Forms of the pages that set up a project and carry data in and out. They read what was typed; services
judge it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from annotation.models import Item, Pattern, Project, Role
from annotation.project_templates import TEMPLATES, ProjectTemplate
from annotation.selectors.table_formats import FORMATS
from annotation.selectors.training_rows import Choice
from annotation.services.exports import KINDS
from annotation.services.projects import SETTINGS

ENCODINGS = [
    ("", _("tell from the file")),
    *(
        (name, name)
        for name in ("utf-8", "utf-16", "gb18030", "big5", "shift_jis", "euc_kr", "cp1252", "cp1251")
    ),
]


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, TSV or JSON lines (also .gz), or Parquet. Every row with a text becomes an item."),
        error_messages={"empty": _("This file is empty: choose one with a header line and rows.")},
    )
    encoding = forms.ChoiceField(label=_("Encoding"), choices=ENCODINGS, required=False)
    no_header = forms.BooleanField(label=_("The first line is a row, not a header"), required=False)


class ReadingForm(forms.Form):
    """How to read a file that was uploaded, if what was found out is wrong."""

    encoding = forms.CharField(label=_("Encoding"), required=False, max_length=40)
    delimiter = forms.ChoiceField(
        label=_("Delimiter"),
        required=False,
        choices=[("", _("tell from the file")), (",", ","), (";", ";"), ("\t", _("tab")), ("|", "|")],
    )
    no_header = forms.BooleanField(label=_("The first line is a row, not a header"), required=False)

    def reading(self) -> dict[str, Any]:
        given = {key: self.cleaned_data[key] for key in ("encoding", "delimiter") if self.cleaned_data[key]}
        return {**given, "has_header": not self.cleaned_data["no_header"]}


EXPORTS = {
    "resolutions": _("final labels: one row an item that has one"),
    "annotations": _("every answer: who gave it, when, with which suggestion"),
    "items": _("all items, with their label where they have one"),
    "training": _("training examples: what a model learns from, as training libraries read it"),
}


class ExportForm(forms.Form):
    """`fields`: names of the schema's fields."""

    what = forms.ChoiceField(
        label=_("What"), choices=[(what, EXPORTS[what]) for what in KINDS], widget=forms.RadioSelect
    )
    format = forms.ChoiceField(
        label=_("Format"), choices=[(name, name.upper()) for name in FORMATS], widget=forms.RadioSelect
    )
    field = forms.ChoiceField(label=_("Of which field"), required=False)
    split = forms.ChoiceField(
        label=_("Of which split"), required=False, choices=[("", _("all")), *Item.Split.choices]
    )
    dialogue = forms.BooleanField(
        label=_("Write texts as dialogues"),
        required=False,
        help_text=_("Prompts and responses as lists of turns, for models that chat."),
    )

    def __init__(self, *args: Any, fields: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["field"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("the first")), *((name, name) for name in fields)]

    def choice(self) -> Choice:
        data = self.cleaned_data
        return Choice(field=data["field"], split=data["split"], dialogue=data["dialogue"])


class ProjectForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(
        label=_("Description"),
        max_length=500,
        required=False,
        help_text=_("One sentence for those who label."),
    )
    template = forms.ChoiceField(
        label=_("Begin with"),
        choices=lambda: [(one.key, _described(one)) for one in TEMPLATES.values()],
        initial="blank",
        widget=forms.RadioSelect,
    )
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        help_text=_(
            "One a line; they go before those of the template. You can also take them from a file later."
        ),
        widget=forms.Textarea(attrs={"rows": 6}),
    )

    def clean_labels(self) -> list[str]:
        return lines(self.cleaned_data["labels"])


def _described(template: ProjectTemplate) -> str:
    return format_html("<span>{}<small>{}</small></span>", template.label, template.description)


class CloneForm(forms.Form):
    name = forms.CharField(label=_("Name of the copy"), max_length=120)
    with_people = forms.BooleanField(label=_("Take the people along"), required=False)


class SettingsForm(forms.ModelForm):
    """All settings of a project. It never saves: `services.projects.update_settings` does."""

    class Meta:
        model = Project
        fields = SETTINGS

    GROUPS = (
        (_("Project"), ("name", "description", "time_zone", "daily_goal")),
        (_("Handing out work"), ("lease_seconds", "overlap_share", "batch_size", "control_share")),
        (_("Second labellers"), ("overlap_mode", "maximum_looks", "target_certainty")),
        (_("Judging models"), ("evaluation_items", "evaluation_overlap_share")),
        (_("Checks and suggestions"), ("spot_check_share", "mode", "prelabel_hidden_share", "likely_first")),
        (
            _("Measuring people, unseen"),
            ("self_consistency_share", "gold_share", "gold_feedback", "qualification_items"),
        ),
        (_("Accepting suggestions in bulk (hybrid only)"), ("bulk_target_accuracy", "bulk_check_share")),
        (_("Dividing items (fixed once items are in)"), ("validation_share", "test_share", "seed")),
    )

    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in self.GROUPS]


class InviteForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
    uses = forms.IntegerField(label=_("For how many people"), min_value=1, max_value=1000, initial=1)
    days = forms.IntegerField(label=_("Valid for days"), min_value=1, max_value=365, initial=14)


class JoinForm(forms.Form):
    username = forms.CharField(
        label=_("Name to sign in with"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        help_text=_("Only to send you a new password when you forget yours."),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=_("At least ten characters, not only digits."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


def lines(text: str) -> list[str]:
    """The lines of a text that hold something, each once."""
    return list(dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if line.strip()))


class PatternForm(forms.Form):
    """One pattern for one label. `options`: the project's fields with labels, of `selectors.patterns`."""

    target = forms.ChoiceField(label=_("Suggests"))
    kind = forms.ChoiceField(label=_("As"), choices=Pattern.Kind.choices, initial=Pattern.Kind.KEYWORD)
    pattern = forms.CharField(
        label=_("Pattern"),
        max_length=300,
        help_text=_("A word or phrase, found as whole words; or a regular expression. Case does not count."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, options: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [
            (option.title, [(f"{option.name}:{label.id}", label.name) for label in option.labels])
            for option in options
        ]
        target = self.fields["target"]
        assert isinstance(target, forms.ChoiceField)
        target.choices = groups if len(groups) > 1 else groups[0][1]

    def described(self) -> dict[str, str]:
        """As `services.patterns.add` takes it."""
        field, label = self.cleaned_data["target"].split(":", 1)
        given = {name: self.cleaned_data[name] for name in ("kind", "pattern")}
        return {"field": field, "label": label, **given}
