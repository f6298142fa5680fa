"""The form in which a person says which column of a file is what."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotation.intake.records import FileInfo
from annotation.intake.validate import Mapping

MOST_SHOWN_COLUMNS = 60
SINGLE = ("label", "external_id", "split", "messages", "draft", "value", "best")  # a column or none
SEVERAL = ("meta", "responses")

LABEL_HELP = {
    "classification": _("Rows with a label here are taken as labelled."),
    "multilabel": _("Labels divided by “;”, or a JSON list. Rows with one are taken as labelled."),
    "spans": _(
        "JSON: a list of start, end and label, counted in characters. Such rows are taken as labelled."
    ),
    "rating": _(
        "JSON: a point by dimension; with one dimension the point alone. Such rows are taken as labelled."
    ),
    "preference": _(
        "The better response: its column, r1, r2 …, A, B … or “tie”. Such rows are taken as labelled."
    ),
    "response": _("The right response. Rows with one are taken as labelled."),
}


class MappingForm(forms.Form):
    """Made for one file's columns. `types`: those of the schema's fields, the first one first."""

    text = forms.ChoiceField(
        label=_("Text"),
        required=False,
        help_text=_("What people read and label. A dialogue may stand for it."),
    )
    label = forms.ChoiceField(label=_("Label"), required=False)
    labels_from_file = forms.BooleanField(
        label=_("Add the labels of the file to the project"), required=False
    )
    messages = forms.ChoiceField(
        label=_("Dialogue"),
        required=False,
        help_text=_("A JSON list of turns with role and content, or from and value."),
    )
    responses = forms.MultipleChoiceField(
        label=_("Responses to compare"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Two or more columns, or one that holds a JSON list."),
    )
    best = forms.ChoiceField(
        label=_("The better response"),
        required=False,
        help_text=_("Taken as the label: this column's response is preferred to the others."),
    )
    draft = forms.ChoiceField(
        label=_("Draft"), required=False, help_text=_("What people begin to write from.")
    )
    value = forms.ChoiceField(
        label=_("All answers"),
        required=False,
        help_text=_("A column with the answers to every field as JSON, as the export of annotations has it."),
    )
    external_id = forms.ChoiceField(
        label=_("Your own id"), required=False, help_text=_("Comes back in every export.")
    )
    split = forms.ChoiceField(
        label=_("Split"),
        required=False,
        help_text=_("A column with train, validation or test. Without one the project draws it."),
    )
    meta = forms.MultipleChoiceField(
        label=_("Keep beside the text"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, info: FileInfo, types: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = [(column, column) for column in info.columns]
        none = [("", _("none")), *columns]
        self._choose("text", none)
        for name in SINGLE:
            self._choose(name, none)
        for name in SEVERAL:
            self._choose(name, columns[:MOST_SHOWN_COLUMNS])
        first = next(iter(types), "classification")
        self.fields["label"].help_text = LABEL_HELP[first]

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def mapping(self) -> Mapping:
        data = self.cleaned_data
        return Mapping(
            text=data["text"],
            **{name: data[name] or None for name in SINGLE},
            **{name: tuple(data[name]) for name in SEVERAL},
        )

    @staticmethod
    def values(mapping: Mapping, *, labels_from_file: bool) -> dict[str, Any]:
        """Initial data, or data of a form that is sent on for the person."""
        return {
            "text": mapping.text,
            "labels_from_file": labels_from_file,
            **{name: getattr(mapping, name) or "" for name in SINGLE},
            **{name: list(getattr(mapping, name)) for name in SEVERAL},
        }

    @property
    def shows_content(self) -> bool:
        """Whether a dialogue, responses or a draft are chosen: their part of the form is open then."""
        return any(self[name].value() for name in ("messages", "responses", "draft", "best", "value"))

    @property
    def shows_more(self) -> bool:
        return any(self[name].value() for name in ("external_id", "split", "meta"))
