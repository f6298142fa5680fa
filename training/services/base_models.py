"""Registering one's own models: folders on this machine that hold weights and settings, and no code."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from accounts.wording import said
from annotation.models import Project
from annotation.services.archive import guard_writable
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext
from training.errors import BadBaseModel
from training.models import BaseModel
from training.selectors import base_models as reads

if TYPE_CHECKING:
    from training.learning.hub import Found, Tell

FETCH = "training.fetch_base_model"
LEFT_FREE = 2 * 2**30  # bytes of the disk that fetching leaves to labels, logs and checkpoints


def register(
    project: Project,
    *,
    name: str,
    folder: str,
    is_default: bool = False,
    is_new: bool = False,
    by: User | None = None,
) -> BaseModel:
    """Take a folder as a base model of the project. The files stay where they are. A name that is known already
    gets the new folder; with `is_new` it is refused, and one that has the folder already stays as it is.

    Raises:
        BadBaseModel: no name, a folder outside the allowed ones, or one that holds no such model; the name is
            taken.
    """
    from training.learning import base_folder

    guard_writable(project)
    name = _usable(name)
    path = _allowed(folder)
    try:
        found = base_folder.examine(path)
    except (ValueError, OSError) as error:
        raise BadBaseModel(_("This folder cannot be registered: %(why)s.") % {"why": said(error)}) from error
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=project.pk)
        held = reads.for_project(project).filter(name=name).first() if is_new else None
        if held is not None:
            return _the_same(held, path)
        kind = BaseModel.Kind.ENCODER if found.is_encoder else BaseModel.Kind.LANGUAGE
        if is_default:
            _clear_default(project, kind)
        row, _made = BaseModel.objects.update_or_create(
            project=project,
            name=name,
            defaults={
                "folder": str(path),
                "kind": kind,
                "architecture": found.architecture[:100],
                "parameters": found.parameters,
                "context": found.context,
                "fingerprint": found.fingerprint,
                "is_default": is_default,
                "created_by": by,
            },
        )
        audit.record(
            "base_model.registered", actor=by, scope=project.uuid, target=row, folder=str(path), name=name
        )
    return row


def request(
    project: Project, *, name: str, folder: str, is_default: bool = False, by: User | None = None
) -> BaseModel | Job:
    """As `register`; where the folder is the id of a model on the hub (owner/name), the job that fetches it.

    Raises:
        BadBaseModel: as `register`; or the hub cannot be reached, or has no such model, or the disk no room.
    """
    hub_id = folder.strip()
    if not names_hub(hub_id):
        return register(project, name=name, folder=folder, is_default=is_default, by=by)
    guard_writable(project)
    found = _looked(hub_id)
    params = {"name": _usable(name), "is_default": is_default, **asdict(found)}
    _make_sure_of_room(found, _folder_of(found))
    audit.record("base_model.requested", actor=by, scope=project.uuid, target=project, hub_id=hub_id)
    return jobs.enqueue(FETCH, subject=project, scope=project.uuid, params=params, created_by=by)


def perform_fetch(ctx: JobContext) -> dict[str, Any]:
    """The job: download and register. Cancelled between two files, it registers nothing; what was fetched stays
    for another try.
    """
    from training.learning import hub

    told = dict(ctx.params)
    name, is_default = told.pop("name"), told.pop("is_default")
    found = hub.Found(**told)
    ctx.log(f"fetching {found.hub_id} at {found.revision[:12]}, {found.bytes / 1e6:,.0f} MB")
    folder = _fetched(found, lambda here, file: ctx.progress(here, found.bytes, file))
    row = register(
        ctx.subject,
        name=name,
        folder=str(folder),
        is_default=is_default,
        by=ctx.job.created_by,
    )
    return {"name": row.name, "architecture": row.architecture}


def names_hub(place: str) -> bool:
    """Whether a place is meant as an id on the hub: it looks like one, and no such folder is here."""
    from training.learning import hub

    return hub.is_id(place) and not (reads.roots()[0] / place).is_dir()


def fetch(hub_id: str, tell: Tell) -> Path:
    """Download a model from the hub here and now; its folder.

    Raises:
        BadBaseModel: the hub cannot be reached, or has no such model, or the disk no room.
    """
    return _fetched(_looked(hub_id), tell)


def _looked(hub_id: str) -> Found:
    from training.learning import hub

    try:
        return hub.look(hub_id)
    except hub.HubError as error:
        raise BadBaseModel(said(error)) from error


def _fetched(found: Found, tell: Tell) -> Path:
    from training.learning import hub

    folder = _folder_of(found)
    _make_sure_of_room(found, folder)
    try:
        hub.fetch(found, folder, tell)
    except hub.HubError as error:
        raise BadBaseModel(said(error)) from error
    return folder


def _folder_of(found: Found) -> Path:
    return reads.roots()[0] / "hub" / f"{found.hub_id.replace('/', '--')}-{found.revision[:12]}"


def _make_sure_of_room(found: Found, folder: Path) -> None:
    from training.learning import hub

    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    needed, free = hub.missing(found, folder), shutil.disk_usage(there).free
    if needed > free - LEFT_FREE:
        raise BadBaseModel(
            _(
                "Fetching %(id)s takes %(needed)s of the disk, of which %(free)s are free and %(left)s have to "
                "stay so: make room below %(folder)s."
            )
            % {
                "id": found.hub_id,
                "needed": filesizeformat(needed),
                "free": filesizeformat(free),
                "left": filesizeformat(LEFT_FREE),
                "folder": reads.roots()[0],
            }
        )


def make_default(
    project: Project, name: str, *, kind: str = BaseModel.Kind.LANGUAGE, by: User | None = None
) -> None:
    """Train this one of its kind where nothing is named; the empty name gives that back to the packaged model.

    Raises:
        BadBaseModel: there is none of that name.
    """
    guard_writable(project)
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=project.pk)
        _clear_default(project, kind)
        if name and not reads.for_project(project).filter(name=name, kind=kind).update(is_default=True):
            raise BadBaseModel(_("There is no base model “%(name)s” in this project.") % {"name": name})
        audit.record("base_model.default", actor=by, scope=project.uuid, target=project, name=name)


def remove(project: Project, name: str, *, by: User | None = None) -> None:
    """Forget a base model; its files stay. Models tuned from it need it still and say so when they are used.

    Raises:
        BadBaseModel: there is none of that name.
    """
    guard_writable(project)
    with transaction.atomic():
        gone, _by_kind = reads.for_project(project).filter(name=name).delete()
        if not gone:
            raise BadBaseModel(_("There is no base model “%(name)s” in this project.") % {"name": name})
        audit.record("base_model.removed", actor=by, scope=project.uuid, target=project, name=name)


def unchanged(project: Project, told: dict[str, str], kind: str = BaseModel.Kind.LANGUAGE) -> reads.Base:
    """The base model that a run was told of.

    Raises:
        BadBaseModel: it is gone, or its folder holds something else now: an adapter fits its own base only.
    """
    from training.learning import base_folder

    base = reads.find(project, told["name"], kind)
    fingerprint = base.sha256
    if base.name not in reads.RESERVED:
        try:
            fingerprint = base_folder.examine(Path(base.path)).fingerprint
        except (ValueError, OSError) as error:
            raise BadBaseModel(
                _("The base model “%(name)s” cannot be read any more: %(why)s.")
                % {"name": base.name, "why": said(error)}
            ) from error
    if fingerprint != told["sha256"]:
        raise BadBaseModel(
            _("The base model “%(name)s” has changed since this was trained: put the old files back.")
            % {"name": base.name}
        )
    return base


def _the_same(held: BaseModel, path: Path) -> BaseModel:
    if held.folder != str(path):
        raise BadBaseModel(
            _(
                "The name “%(name)s” stands for another base model by now: forget that one on the page “Base "
                "models”, then go on."
            )
            % {"name": held.name}
        )
    return held


def _usable(name: str) -> str:
    name = slugify(name.strip())[:60]
    if not name or name in reads.RESERVED:
        raise BadBaseModel(
            _("Found no usable name: give one of letters, digits and hyphens, other than “%(packaged)s”.")
            % {"packaged": "”, “".join(reads.RESERVED)}
        )
    return name


def _allowed(folder: str) -> Path:
    """The folder, links followed, if it lies where models may."""
    path = Path(folder.strip())
    roots = reads.roots()
    if not path.is_absolute():
        path = roots[0] / path
    path = path.resolve()
    if not any(path.is_relative_to(root) and path != root for root in roots):
        raise BadBaseModel(
            _("Found %(folder)s, expected a folder below %(roots)s: move it there, or set MODEL_FOLDERS.")
            % {"folder": folder.strip() or "“”", "roots": ", ".join(map(str, roots))}
        )
    return path


def _clear_default(project: Project, kind: str) -> None:
    BaseModel.objects.filter(project=project, kind=kind, is_default=True).update(is_default=False)
