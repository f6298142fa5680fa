"""Which suggestion a person sees of an item, if any. Pages, the API and the stored answers all ask here.

Suggestions speed people up and pull them along (anchoring). So a class may be closed to them, evaluation items
never show one, and on a random share of all slots the suggestion is kept back to measure how far it pulls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from accounts.selectors.prepared import numbered, numbered_places, prepared
from annotation.models import Annotation, Labeller, Prelabel, Project, Slot
from annotation.quality.spot_checks import is_drawn
from annotation.task_types import registry
from annotation.task_types.labels import path

_MODE = Annotation.PrelabelMode
STRICTEST_FIRST = (Project.Mode.MANUAL, Project.Mode.ASSISTED, Project.Mode.HYBRID)
_PREFERRED = (Labeller.Kind.MODEL, Labeller.Kind.RULE)  # a model's suggestion wins over a rule's

Modes = Mapping[str, Mapping[str, str]]  # field -> label id -> mode, of the labels that have one


class Showing(NamedTuple):
    """The suggestion for a slot, and whether it is shown, hidden to measure anchoring, or never shown."""

    prelabel: Prelabel
    mode: str  # one of Annotation.PrelabelMode


def label_modes(definition: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The modes that labels have of their own or from a label above them, the strictest of these."""
    found: dict[str, dict[str, str]] = {}
    for field in definition["fields"]:
        for options in field.values():
            if not isinstance(options, list) or not any(_own_mode(one) for one in options):
                continue
            own = {one["id"]: _own_mode(one) for one in options}
            for identity in own:
                modes = [mode for above in path(options, identity) if (mode := own[above])]
                if modes:
                    found.setdefault(field["name"], {})[identity] = strictest(modes)
    return found


def _own_mode(option: Any) -> str:
    return str(option.get("mode") or "") if isinstance(option, Mapping) else ""


def strictest(modes: Sequence[str]) -> str:
    """manual before assisted before hybrid."""
    return min(modes, key=STRICTEST_FIRST.index)  # type: ignore[arg-type]


def mode_of(project_mode: str, definition: Mapping[str, Any], value: Mapping[str, Any], modes: Modes) -> str:
    """The mode of a suggestion: the strictest of the project's and those of all labels that it names."""
    named = [
        modes[name][label]
        for name, labels in registry.uses(definition, value).items()
        for label in labels
        if label in modes.get(name, {})
    ]
    return strictest([project_mode, *named])


def chosen(candidates: Sequence[Prelabel]) -> Prelabel:
    """The one suggestion of an item that counts: of a model before a rule, then the newest."""
    return max(candidates, key=lambda one: (-_PREFERRED.index(Labeller.Kind(one.labeller.kind)), one.pk))


def decide(
    project: Project, definition: Mapping[str, Any], slot: Slot, candidates: Sequence[Prelabel], modes: Modes
) -> Showing | None:
    """What becomes of an item's suggestions on one slot; None where there is none, and for evaluation.

    The draw is by the slot, so it is the same whenever asked for, and asking again gives no other one.
    """
    if not candidates or slot.purpose == Slot.Purpose.EVALUATION:
        return None
    prelabel = chosen(candidates)
    if mode_of(project.mode, definition, prelabel.value, modes) == Project.Mode.MANUAL:
        return Showing(prelabel, _MODE.UNSEEN)
    if is_drawn(str(slot.uuid), project.prelabel_hidden_share, salt=f"prelabel {project.seed}"):
        return Showing(prelabel, _MODE.HIDDEN)
    return Showing(prelabel, _MODE.SHOWN)


def is_shown(project: Project, definition: Mapping[str, Any], slot: Slot, prelabel: Prelabel) -> bool:
    """Whether a client that says it showed this suggestion on this slot can be right, were there no other one
    then: a newer suggestion may have come since.
    """
    if prelabel.labeller.kind not in _PREFERRED:
        return False
    showing = decide(project, definition, slot, [prelabel], label_modes(definition))
    return showing is not None and showing.mode == _MODE.SHOWN


def showings(project: Project, slots: Sequence[Slot], definition: Mapping[str, Any]) -> dict[int, Showing]:
    """By slot id, for the slots whose item has a suggestion. One query."""
    open_to = [slot for slot in slots if slot.purpose != Slot.Purpose.EVALUATION]
    if not open_to:
        return {}
    by_item: dict[int, list[Prelabel]] = defaultdict(list)
    for prelabel in _of_items(len(open_to)).all(**numbered(slot.item_id for slot in open_to)):
        by_item[prelabel.item_id].append(prelabel)
    modes = label_modes(definition) if by_item else {}
    decided = {slot.pk: decide(project, definition, slot, by_item[slot.item_id], modes) for slot in open_to}
    return {pk: showing for pk, showing in decided.items() if showing is not None}


@prepared
def _of_items(count: int) -> QuerySet[Prelabel]:
    found = Prelabel.objects.filter(item__pk__in=numbered_places(count), labeller__kind__in=_PREFERRED)
    shown = ("uuid", "item", "value", "confidence", "scores", "labeller__kind")
    return found.select_related("labeller").only(*shown)


def agrees(suggested: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether everything that was suggested was answered so."""
    return all(answer.get(name) == value for name, value in suggested.items())


def shown_scores(field: str, scores: Mapping[str, float], modes: Modes) -> dict[str, float]:
    """The scores that may be shown: those of labels that are labelled by hand stay back."""
    own = modes.get(field, {})
    return {label: score for label, score in scores.items() if own.get(label) != Project.Mode.MANUAL}
