"""Projects: made, cloned, set up, put away."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import ProjectRefused
from annotation.models import Membership, Project, Role
from annotation.project_templates import TEMPLATES, ProjectTemplate
from annotation.selectors import schemas as schema_reads
from annotation.services import guidelines, schemas, telling
from annotation.services.archive import guard_writable

SETTINGS = (
    *("name", "description", "time_zone", "seed", "validation_share", "test_share"),
    *("overlap_share", "evaluation_items", "evaluation_overlap_share", "lease_seconds", "daily_goal"),
    *("spot_check_share", "mode", "prelabel_hidden_share", "likely_first"),
    *("bulk_target_accuracy", "bulk_check_share"),
    *("batch_size", "control_share"),
    *("overlap_mode", "maximum_looks", "target_certainty"),
    *("self_consistency_share", "gold_share", "gold_feedback", "qualification_items"),
)
NARROW = {  # shares that may not take every value between 0 and 1
    "validation_share": (0, 0.5),
    "test_share": (0, 0.5),
    "bulk_target_accuracy": (0.5, 0.999),
    "bulk_check_share": (0.05, 0.1),
}
FROZEN_WITH_ITEMS = ("seed", "validation_share", "test_share")
MAXIMUM_SLUG = 60


@transaction.atomic
def create(
    name: str,
    *,
    created_by: User | None = None,
    template: str = "blank",
    labels: Iterable[str | Mapping[str, Any]] = (),
    definition: dict[str, Any] | None = None,
    guideline: str | None = None,
    slug: str = "",
    **settings: Any,
) -> Project:
    """Make a project; whoever makes it becomes its admin.

    The schema is `definition`, else the template's with `labels` before its own ones, else these labels; with
    none of them the project has no schema yet, and the first import may bring it. The guideline, unless one is
    given, is the template's in the language that is spoken now. `settings` are columns of `SETTINGS`, and
    `is_synthetic`.

    Raises:
        ProjectRefused: a name, address or setting cannot be taken; `details` says which.
        SchemaRefused: the labels are not valid.
    """
    chosen = TEMPLATES.get(template)
    if chosen is None:
        raise ProjectRefused(
            _("There is no template “%(template)s”: use one of %(known)s.")
            % {"template": template, "known": ", ".join(TEMPLATES)}
        )
    is_synthetic = settings.pop("is_synthetic", False)
    project = Project(name=" ".join(name.split()), is_synthetic=is_synthetic, created_by=created_by)
    project.slug = slug.strip() or free_slug(project.name)
    # A seed of its own, so that two projects over the same file do not hold out the same items.
    project.seed = secrets.randbelow(2**31)
    _assign(project, {**chosen.settings, **settings})
    _validate(project)
    project.save(force_insert=True)
    audit.record("project.created", actor=created_by, scope=project.uuid, target=project, name=project.name)
    if created_by is not None:
        Membership.objects.create(project=project, user=created_by, role=Role.ADMIN)
    if definition is None:
        definition = _definition(chosen, list(labels))
    if definition is not None:
        schemas.publish(project, definition, by=created_by)
    text = chosen.guideline if guideline is None else guideline
    if text:
        guidelines.publish(project, text, by=created_by)
    return project


def _definition(
    template: ProjectTemplate, labels: Sequence[str | Mapping[str, Any]]
) -> dict[str, Any] | None:
    if not labels:
        return template.definition()
    if not template.takes_labels:
        sentence = _("The template “%(template)s” asks for no labels: leave them out, or choose another one.")
        sentence %= {"template": template.label}
        raise ProjectRefused(sentence, details={"labels": [sentence]})
    made = schemas.definition_of(labels)
    return template.definition(made["fields"][0]["labels"]) or made


def free_slug(name: str) -> str:
    """An address for a project of this name that none has yet. ASCII, so that it can be typed and pasted
    anywhere.
    """
    wanted = slugify(name)[: MAXIMUM_SLUG - 4].strip("-_") or f"project-{secrets.token_hex(3)}"
    slug, number = wanted, 2
    while Project.objects.filter(slug=slug).exists():
        slug, number = f"{wanted}-{number}", number + 1
    return slug


@transaction.atomic
def clone(project: Project, name: str, *, by: User, with_people: bool = False) -> Project:
    """A new project with the same labels, guideline and settings, and none of the items.

    On request (`with_people`) it has the same members.
    """
    schema = schema_reads.current(project)
    guideline = schema_reads.current_guideline(project)
    settings = {field: getattr(project, field) for field in SETTINGS if field not in ("name", "seed")}
    twin = create(
        name,
        created_by=by,
        definition=schema.definition if schema else None,
        guideline=guideline.text if guideline else "",
        **settings,
    )
    if with_people:
        others = Membership.objects.filter(project=project, is_active=True, user__is_active=True).exclude(
            user=by
        )
        Membership.objects.bulk_create(
            Membership(project=twin, user_id=other.user_id, role=other.role) for other in others
        )
    audit.record("project.cloned", actor=by, scope=twin.uuid, target=twin, original=str(project.uuid))
    return twin


@transaction.atomic
def update_settings(project: Project, *, by: User | None = None, **changes: Any) -> Project:
    """Change columns of `SETTINGS`. What decides the splits stays as it is once items are in.

    Raises:
        ProjectRefused: a value is out of range, or may not change any more; `details` says which.
    """
    guard_writable(project)
    before = {field: getattr(project, field) for field in changes if field in SETTINGS}
    fixed = [field for field in FROZEN_WITH_ITEMS if field in changes and changes[field] != before[field]]
    if fixed and project.items.exists():
        sentence = _("This cannot change any more: items are in, and their splits were drawn from it.")
        raise ProjectRefused(sentence, details={field: [sentence] for field in fixed})
    _assign(project, changes)
    _validate(project)
    changed = {field: [before[field], getattr(project, field)] for field in before}
    changed = {field: values for field, values in changed.items() if values[0] != values[1]}
    if changed:
        project.save(update_fields=list(changed))
        audit.record("project.changed", actor=by, scope=project.uuid, target=project, changed=changed)
    return project


def archive(project: Project, *, by: User | None = None) -> None:
    """Put a project away: it can be read and exported, and nothing is written to it until it is taken up
    again.
    """
    _move(project, Project.State.ARCHIVED, "project.archived", by)


def unarchive(project: Project, *, by: User | None = None) -> None:
    _move(project, Project.State.ACTIVE, "project.unarchived", by)


def pause(project: Project, *, by: User | None = None) -> None:
    """Hand out no more work for now; what people hold they may still submit."""
    guard_writable(project)
    _move(project, Project.State.PAUSED, "project.paused", by)


def resume(project: Project, *, by: User | None = None) -> None:
    guard_writable(project)
    _move(project, Project.State.ACTIVE, "project.resumed", by)


@transaction.atomic
def _move(project: Project, state: Project.State, verb: str, by: User | None) -> None:
    before, project.state = project.state, state
    if Project.objects.filter(pk=project.pk).exclude(state=state).update(state=state):
        audit.record(verb, actor=by, scope=project.uuid, target=project)
        if {before, state} == {Project.State.ACTIVE, Project.State.PAUSED}:
            telling.state_changed(project, by=by)


def _assign(project: Project, values: Mapping[str, Any]) -> None:
    unknown = sorted(set(values) - set(SETTINGS))
    if unknown:
        raise ProjectRefused(
            _("A project has no setting “%(name)s”: use one of %(known)s.")
            % {"name": unknown[0], "known": ", ".join(SETTINGS)}
        )
    for field, value in values.items():
        setattr(project, field, value)


def _validate(project: Project) -> None:
    problems: dict[str, list[str]] = {}
    try:
        project.full_clean(exclude=["created_by"], validate_constraints=False)
    except ValidationError as error:
        problems = {field: list(messages) for field, messages in error.message_dict.items()}
    if not project.slug.isascii():
        problems["slug"] = [_("Use letters a to z, digits, “-” and “_”: the address is typed and pasted.")]
    if project.time_zone not in available_timezones():
        problems["time_zone"] = [
            _("“%(zone)s” is no time zone: give one such as Asia/Shanghai.") % {"zone": project.time_zone}
        ]
    for field, (low, high) in NARROW.items():
        if field not in problems and not low <= getattr(project, field) <= high:
            problems[field] = [
                _("Give a share between %(low)s and %(high)s, found %(share)s.")
                % {"low": low, "high": high, "share": getattr(project, field)}
            ]
    if problems:
        raise ProjectRefused(_sentence(problems), details=problems)


def _sentence(problems: Mapping[str, list[str]]) -> str:
    return " ".join(
        f"{Project._meta.get_field(field).verbose_name}: {' '.join(texts)}"
        for field, texts in problems.items()
    )
