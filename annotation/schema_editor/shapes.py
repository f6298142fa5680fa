"""Which texts, flags and lists the editor offers for a field of each type."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

FIELD_TEXTS = ("name", "title", "title_zh", "help", "help_zh")
NUMBERS = {
    "multilabel": ("minimum", "maximum"),
    "rating": ("points", "lowest"),
    "response": ("minimum", "maximum"),
}
FLAGS: dict[str, dict[str, bool]] = {  # with what holds where the schema says nothing
    "classification": {"required": True, "any_node": False},
    "multilabel": {"required": True, "any_node": False},
    "spans": {"required": True, "nested": False, "overlapping": False, "whole_words": False},
    "rating": {"required": True},
    "preference": {"required": True, "ties": True},
    "response": {"required": True, "markdown": True},
}
LISTS = {
    "classification": ("labels",),
    "multilabel": ("labels",),
    "spans": ("labels", "relations"),
    "rating": ("dimensions",),
    "preference": ("strengths", "reasons"),
    "response": (),
}
_OPTION = ("id", "name", "name_zh", "description", "description_zh", "colour", "shortcut")
OPTION_TEXTS = {
    "labels": (*_OPTION, "parent", "mode"),
    "relations": _OPTION,
    "strengths": _OPTION,
    "reasons": _OPTION,
    "dimensions": ("id", "name", "name_zh", "description", "description_zh", "anchors", "anchors_zh"),
}
ANCHORS = ("anchors", "anchors_zh")
WITH_LABELS = ("classification", "multilabel")  # what a later field may depend on
COLOURED = ("labels",)  # lists whose new rows are dealt a colour

TYPE_WORDS = {
    "classification": _("One label: people choose one of a list, or walk down a tree to a leaf."),
    "multilabel": _("Several labels: people choose any number of a list."),
    "spans": _("Spans: people mark pieces of the text, and relations between them."),
    "rating": _("Ratings: people give a point on a scale for each question."),
    "preference": _("Preference: people rank the responses of an item, best first."),
    "response": _("Response: people write, or edit, what a model should have said."),
}
TYPE_NAMES = {
    "classification": _("One label"),
    "multilabel": _("Several labels"),
    "spans": _("Spans of the text"),
    "rating": _("Ratings on scales"),
    "preference": _("Preference between responses"),
    "response": _("A written response"),
}
FIRST_NAMES = {
    "classification": "label",
    "multilabel": "topics",
    "spans": "entities",
    "rating": "quality",
    "preference": "preferred",
    "response": "reply",
}
LIST_NAMES = {
    "labels": _("Labels"),
    "relations": _("Relations between spans"),
    "dimensions": _("What is rated"),
    "strengths": _("How much better"),
    "reasons": _("Reasons to tick"),
}
FLAG_WORDS = {
    "required": _("Must be answered"),
    "any_node": _("Labels with others below them may be answers too"),
    "nested": _("A span may lie inside another"),
    "overlapping": _("Spans may overlap in any way"),
    "whole_words": _("A selection takes in whole words"),
    "ties": _("Two responses may be equally good"),
    "markdown": _("Show the text as Markdown beside it"),
}
NUMBER_WORDS = {
    ("multilabel", "minimum"): _("Fewest labels"),
    ("multilabel", "maximum"): _("Most labels"),
    ("response", "minimum"): _("Fewest characters"),
    ("response", "maximum"): _("Most characters"),
    ("rating", "points"): _("Points of the scale"),
    ("rating", "lowest"): _("The lowest point"),
}
NUMBER_DEFAULTS = {
    ("multilabel", "minimum"): "0",
    ("response", "minimum"): "1",
    ("response", "maximum"): "20000",
    ("rating", "points"): "5",
    ("rating", "lowest"): "1",
}
