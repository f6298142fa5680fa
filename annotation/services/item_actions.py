"""Actions on many items: one list of them, their rights and options, run in blocks, all audited.

A few items are done at once; many by a job with progress. Each block is one transaction with its entry in the
audit log. Every action is safe to run twice: what it finds done it leaves.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation import permissions
from annotation.errors import ActionRefused
from annotation.models import Group, Item, Membership, Project, Tag
from annotation.selectors import action_words, row_ranges
from annotation.selectors import items as item_reads
from annotation.selectors import queue as queue_reads
from annotation.services import item_marks, item_queueing, telling
from annotation.services.action_outcome import Outcome
from annotation.services.archive import guard_writable
from annotation.services.item_queueing import EVERYBODY, Assignee
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext

KIND = "annotation.change_items"
BLOCK = 250
AT_ONCE = 500  # items that are done while the person waits
MOST = item_reads.MOST_SELECTED
Options = Mapping[str, str]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Action:
    """`run` does one block. `read` turns the options as they were sent into its arguments, or refuses.
    `is_last_first`: the blocks are done from the last to the first. `gives_work`: it puts items into the queue.
    """

    name: str
    verb: str  # in the audit log
    need: Callable[[Any, Project], bool]
    run: Callable[..., Outcome]
    read: Callable[[Project, Options], dict[str, Any]] = lambda project, given: {}
    is_last_first: bool = False
    gives_work: bool = False


def _assignee(project: Project, given: Options) -> dict[str, Any]:
    """`to`: "everybody", "person:UUID" or "group:UUID"."""
    kind, _sep, name = given.get("to", "everybody").partition(":")
    identity = _uuid(name)
    if kind == "everybody":
        return {"to": EVERYBODY}
    if kind == "group":
        group = Group.objects.filter(project=project, uuid=identity).first()
        if group is not None:
            return {"to": Assignee(group=group)}
    if kind == "person":
        member = Membership.objects.filter(
            project=project, user__uuid=identity, is_active=True, user__is_active=True
        ).select_related("user")
        if found := member.first():
            return {"to": Assignee(person=found.user)}
    raise ActionRefused(_("Choose a person or a group of this project to assign the items to."))


def _new_tag(project: Project, given: Options) -> dict[str, Any]:
    """`tag`: the name of a tag, which is made if there is none."""
    return {"mark": item_marks.tag_named(project, given.get("tag", ""))}


def _known_tag(project: Project, given: Options) -> dict[str, Any]:
    name = " ".join(given.get("tag", "").split())
    known = Tag.objects.filter(project=project, name__iexact=name).first()
    if known is None:
        raise ActionRefused(_("There is no tag “%(name)s” in this project.") % {"name": name})
    return {"mark": known}


def _reason(project: Project, given: Options) -> dict[str, Any]:
    reason = " ".join(given.get("reason", "").split())[: item_marks.LONGEST_REASON]
    if not reason or reason == Item.DELETED:
        raise ActionRefused(_("Say why the items are held back, in a few words."))
    return {"reason": reason}


_ARRANGE, _REMOVE = permissions.can_arrange_items, permissions.can_remove_items
_ALL = (
    Action(
        name="assign",
        verb="items.assigned",
        need=_ARRANGE,
        run=item_queueing.assign,
        read=_assignee,
        gives_work=True,
    ),
    Action(
        name="queue_first",
        verb="items.queued_first",
        need=_ARRANGE,
        run=item_queueing.queue_first,
        is_last_first=True,
        gives_work=True,
    ),
    Action(
        name="relabel",
        verb="items.queued_again",
        need=_ARRANGE,
        run=item_queueing.label_again,
        read=_assignee,
        is_last_first=True,
        gives_work=True,
    ),
    Action(name="tag", verb="items.tagged", need=_ARRANGE, run=item_marks.tag, read=_new_tag),
    Action(name="untag", verb="items.untagged", need=_ARRANGE, run=item_marks.untag, read=_known_tag),
    Action(name="hold_back", verb="items.held_back", need=_REMOVE, run=item_marks.hold_back, read=_reason),
    Action(name="release", verb="items.released", need=_REMOVE, run=item_marks.release),
    Action(name="delete", verb="items.deleted", need=_REMOVE, run=item_marks.delete),
)
ACTIONS: dict[str, Action] = {action.name: action for action in _ALL}


def allowed(user: User, project: Project) -> list[str]:
    """Names of the actions that the user may do."""
    return [action.name for action in _ALL if action.need(user, project)]


def start(
    project: Project, name: str, rows: Iterable[int], options: Options, *, by: User
) -> tuple[Outcome | None, Job | None]:
    """Do an action to the items of these rows: at once where they are few, else by a job.

    Raises:
        ActionRefused: there is no such action, nothing or too much was chosen, or an option is wrong.
        PermissionDenied: the role does not allow it.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    action = _checked(project, name, by)
    chosen = sorted(set(rows))
    if not 0 < len(chosen) <= MOST:
        raise ActionRefused(
            _("%(found)s items are chosen: choose 1 to %(most)s.") % {"found": len(chosen), "most": MOST}
        )
    with transaction.atomic():
        action.read(project, options)  # refuses now, and makes a tag that is new
    if len(chosen) <= AT_ONCE:
        return perform(project, name, chosen, options, by=by, key=uuid.uuid4().hex), None
    params = {"action": name, "rows": row_ranges.to_text(chosen), "options": dict(options)}
    job = jobs.enqueue(KIND, subject=project, scope=project.uuid, params=params, created_by=by)
    return None, job


def run(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.change_items": its subject is the project."""
    project, by = ctx.subject, ctx.job.created_by
    if project is None or by is None:
        return None
    rows = row_ranges.from_text(ctx.params["rows"], most=MOST)

    def tell(done: int, total: int) -> None:
        ctx.progress(done, total, _("%(done)s of %(total)s items") % {"done": done, "total": total})

    outcome = perform(
        project,
        ctx.params["action"],
        rows,
        ctx.params["options"],
        by=by,
        key=ctx.job.uuid.hex,
        on_progress=tell,
    )
    ctx.log(action_words.summary(ctx.params["action"], outcome.rows, outcome.left))
    return outcome.to_json()


def perform(
    project: Project,
    name: str,
    rows: Sequence[int],
    options: Options,
    *,
    by: User,
    key: str,
    on_progress: Progress = lambda done, total: None,
) -> Outcome:
    """Do an action now, block by block. `key` names it: blocks and attempts of one action share it.

    Raises:
        ActionRefused, PermissionDenied, ProjectArchived: as `start`.
    """
    guard_writable(project)
    action = _checked(project, name, by)
    arguments = action.read(project, options)
    was_idle = action.gives_work and not queue_reads.has_open_work(project)
    blocks = [rows[at : at + BLOCK] for at in range(0, len(rows), BLOCK)]
    whole, done = Outcome(), 0
    for block in reversed(blocks) if action.is_last_first else blocks:
        ids = item_reads.by_rows(project, block)
        with transaction.atomic():
            outcome = action.run(project, ids, **arguments, by=by, key=key)
            if outcome.rows:
                _record(project, action, arguments, outcome, by)
        whole.add(outcome)
        done += len(block)
        on_progress(done, len(rows))
    _tell(project, action, arguments, whole, by, was_idle=was_idle)
    return whole


def _checked(project: Project, name: str, by: User) -> Action:
    action = ACTIONS.get(name)
    if action is None:
        raise ActionRefused(
            _("There is no action “%(name)s”: use one of %(known)s.")
            % {"name": name, "known": ", ".join(ACTIONS)}
        )
    permissions.require(action.need, by, project)
    return action


def _record(
    project: Project, action: Action, arguments: Mapping[str, Any], outcome: Outcome, by: User
) -> None:
    told: dict[str, str] = {}
    for name, value in arguments.items():
        if isinstance(value, Assignee):
            value = value.person.username if value.person else value.group.name if value.group else ""
        told["tag" if name == "mark" else name] = str(value)
    audit.record(
        action.verb,
        actor=by,
        scope=project.uuid,
        count=len(outcome.rows),
        rows=row_ranges.to_text(outcome.rows),
        **told,
    )


def _tell(
    project: Project,
    action: Action,
    arguments: Mapping[str, Any],
    outcome: Outcome,
    by: User,
    *,
    was_idle: bool,
) -> None:
    """People hear of what was given to them by somebody else; and all of them that there is work again, where
    there was none. Who has work already is not told of more.
    """
    to = arguments.get("to", EVERYBODY)
    if not action.gives_work or not outcome.rows:
        return
    if to == EVERYBODY:
        if was_idle and project.is_active:
            telling.work_available(project, by=by)
        return
    people = User.objects.filter(pk__in=to.people or ()).exclude(pk=by.pk)
    telling.work_assigned(project, people, len(outcome.rows))


def _uuid(given: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(given)
    except ValueError:
        return None
