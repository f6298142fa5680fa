"""Suggestions by patterns: added and switched by engineers, written as pre-labels by a job, in blocks.

Each set of patterns, with the confidences measured for them, suggests under a labeller of its own;
suggestions of earlier sets that nobody has acted on go.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import PatternRefused
from annotation.models import Labeller, Pattern, PatternPass, Prelabel, Project
from annotation.quality import patterns as core
from annotation.quality.patterns import Rule
from annotation.selectors import patterns as reads
from annotation.selectors import schemas
from annotation.services import labellers, prelabels
from annotation.services.archive import guard_writable
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue, validate_part
from jobs.models import Job, State
from jobs.services import jobs
from jobs.services.context import JobContext

BLOCK = 1000  # rows of one transaction
MOST = 300  # active patterns of a project
SLOW_TEXTS = 20  # a pattern too slow for so many texts is switched off
SHOWN_SCORES = 5


@transaction.atomic
def add(project: Project, user: User, *, field: str, label: str, kind: str, pattern: str) -> Pattern:
    """Add a pattern, measured, and have all open items gone through anew. One that is there is switched on.

    Raises:
        PatternRefused: see `reads.field_for`, `reads.compiled` and `reads.test`; or there are too many.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    pattern = pattern.strip()
    if kind not in Pattern.Kind.values:
        raise PatternRefused(_("There is no kind “%(kind)s” of pattern.") % {"kind": kind})
    described = reads.field_for(project, field, label)
    tested = reads.test(project, described, label, reads.compiled(kind, pattern))
    if project.patterns.filter(is_active=True).count() >= MOST:
        raise PatternRefused(
            _("The project has %(most)s active patterns, which is the limit: switch one off first.")
            % {"most": MOST}
        )
    found, made = Pattern.objects.get_or_create(
        project=project,
        field=field,
        label=label,
        kind=kind,
        pattern=pattern,
        defaults={"created_by": user},
    )
    _note(found, tested)
    Pattern.objects.filter(pk=found.pk).update(is_active=True)
    audit.record(
        "pattern.added",
        actor=user,
        scope=project.uuid,
        target=found,
        field=field,
        label=label,
        pattern=pattern,
        new=made,
    )
    _changed(project, user)
    found.refresh_from_db()
    return found


@transaction.atomic
def set_active(pattern: Pattern, user: User, active: bool) -> None:
    """Switch a pattern on or off; all open items are gone through anew."""
    guard_writable(pattern.project)
    if Pattern.objects.filter(pk=pattern.pk).exclude(is_active=active).update(is_active=active):
        verb = "pattern.switched_on" if active else "pattern.switched_off"
        audit.record(verb, actor=user, scope=pattern.project.uuid, target=pattern, pattern=pattern.pattern)
        _changed(pattern.project, user)


@transaction.atomic
def measure_again(project: Project, user: User) -> Job | None:
    """Measure all patterns on what is resolved by now, and suggest with the new confidences."""
    guard_writable(project)
    return _changed(project, user)


def _note(pattern: Pattern, tested: reads.Tested) -> None:
    Pattern.objects.filter(pk=pattern.pk).update(
        right=tested.right,
        judged=tested.judged,
        matched=tested.matched,
        looked_at=tested.looked_at,
        measured_at=timezone.now(),
    )


def _changed(project: Project, user: User | None) -> Job | None:
    PatternPass.objects.update_or_create(project=project, defaults={"is_stale": True})
    return request(project, user)


def request(project: Project, user: User | None = None) -> Job | None:
    """Have the job run, unless one waits already; one that runs notices by itself."""
    waiting = Job.objects.filter(kind=reads.KIND, scope=project.uuid, state__in=[State.QUEUED, State.RUNNING])
    if waiting.exists():
        return None
    return jobs.enqueue(reads.KIND, subject=project, scope=project.uuid, created_by=user)


def tick() -> int:
    """Start the job where patterns have not gone over all items: new ones came in, or a signal was lost."""
    found = [project for project in reads.behind() if not project.imports.filter(state="running").exists()]
    for project in found:
        request(project)
    return len(found)


def run(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.suggest_by_patterns": its subject is the project."""
    project: Project | None = ctx.subject
    state = PatternPass.objects.filter(project=project).first() if project is not None else None
    if project is None or state is None:
        return None
    guard_writable(project)
    stored, slow = 0, Counter[int]()
    while True:
        if state.is_stale:
            state = _prepared(ctx, project, state)
            slow.clear()
        rules = _rules(project) if state.labeller is not None else []
        last = reads.last_row(project)
        if state.rows_done > last:
            break
        if not rules:
            PatternPass.objects.filter(pk=state.pk, is_stale=False).update(rows_done=last + 1)
            break
        stored += _block(project, state, rules, slow)
        state = PatternPass.objects.select_related("labeller").get(pk=state.pk)
        _switch_off_slow(ctx, project, slow)
        ctx.progress(state.rows_done, last + 1, _("%(count)s suggestions") % {"count": f"{stored:,}"})
    return {"stored": stored}


def _prepared(ctx: JobContext, project: Project, state: PatternPass) -> PatternPass:
    """Measure the patterns, find the labeller of this set, and drop what earlier sets suggested."""
    PatternPass.objects.filter(pk=state.pk).update(is_stale=False, rows_done=0)
    for pattern in project.patterns.filter(is_active=True):
        try:
            field = reads.field_for(project, pattern.field, pattern.label)
            tested = reads.test(project, field, pattern.label, reads.compiled(pattern.kind, pattern.pattern))
        except PatternRefused as error:
            ctx.log(f"{pattern}: {error}")
            continue
        _note(pattern, tested)
    labeller = _labeller(project)
    PatternPass.objects.filter(pk=state.pk).update(labeller=labeller)
    gone = reads.outdated(project, labeller.pk if labeller else None)
    while block := list(gone.order_by("pk").values_list("pk", flat=True)[:BLOCK]):
        Prelabel.objects.filter(pk__in=block).delete()
        ctx.check()
    return PatternPass.objects.select_related("labeller").get(pk=state.pk)


def _labeller(project: Project) -> Labeller | None:
    """The labeller of the active patterns with their confidences; None without patterns."""
    active = project.patterns.filter(is_active=True).order_by("pk")
    described = [
        [one.field, one.label, one.kind, one.pattern, round(core.confidence(one.right, one.judged), 4)]
        for one in active
    ]
    if not described:
        return None
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=12).hexdigest()
    number = project.labellers.filter(key__startswith=reads.LABELLER_KEY).count() + 1
    name = _("patterns, set %(number)s") % {"number": number}
    return labellers.rule(project, f"{reads.LABELLER_KEY}{digest}", name)


def _rules(project: Project) -> list[tuple[int, Rule]]:
    """(id, rule) of the active patterns whose label the schema still has."""
    known = {(option.name, label.id) for option in reads.field_options(project) for label in option.labels}
    return [
        (
            one.pk,
            Rule(
                one.field,
                one.label,
                core.confidence(one.right, one.judged),
                core.matcher(one.kind, one.pattern),
            ),
        )
        for one in project.patterns.filter(is_active=True)
        if (one.field, one.label) in known
    ]


@transaction.atomic
def _block(project: Project, state: PatternPass, rules: list[tuple[int, Rule]], slow: Counter[int]) -> int:
    """Go through the next rows; the number of suggestions stored. Where the patterns changed meanwhile, none."""
    end = state.rows_done + BLOCK
    here = PatternPass.objects.filter(
        pk=state.pk, is_stale=False, rows_done=state.rows_done, labeller=state.labeller
    )
    definition = schemas.require(project).definition
    found: list[prelabels.Suggestion] = []
    for item in reads.open_items(project, state.rows_done, end) if rules else ():
        suggested = core.suggest(definition["fields"], [rule for _pk, rule in rules], item.text)
        slow.update(rules[at][0] for at in suggested.slow)
        if not suggested.value:
            continue
        try:
            value = validate_part(definition, suggested.value, content_of(item.text, item.data))
        except InvalidValue:
            continue  # such as more labels than the field takes
        scores = sorted(suggested.scores.items(), key=lambda one: -one[1])[:SHOWN_SCORES]
        found.append((item.pk, value, suggested.confidence, dict(scores)))
    if not here.update(rows_done=min(end, reads.last_row(project) + 1)):
        return 0
    if found and state.labeller is not None:
        prelabels.store(project, state.labeller, found)
    return len(found)


def _switch_off_slow(ctx: JobContext, project: Project, slow: Counter[int]) -> None:
    for pk, count in list(slow.items()):
        if count >= SLOW_TEXTS and Pattern.objects.filter(pk=pk, is_active=True).update(is_active=False):
            pattern = Pattern.objects.get(pk=pk)
            ctx.log(f"{pattern}: too slow on {count} texts, switched off")
            audit.record("pattern.switched_off", scope=project.uuid, target=pattern, slow_texts=count)
            PatternPass.objects.filter(project=project).update(is_stale=True)
