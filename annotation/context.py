"""What the frame of every page shows: the project, its tabs by role, the person's own pages.

Addresses are names: a page that is not there yet, or belongs to an app above this one, is left out or found
by its string, so nothing is imported upward.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.selectors.notices import unread_count
from annotation import permissions
from annotation.models import Project
from annotation.selectors import projects as project_selectors

# label, URL name, who may see it; a None stands for a gap between groups
_PROJECT_PAGES: tuple[tuple[Any, str, Any] | None, ...] = (
    (pgettext_lazy("navigation", "Label"), "annotation:label", permissions.can_label),
    (pgettext_lazy("navigation", "Check"), "annotation:check", permissions.can_check_suggestions),
    (_("Review"), "annotation:review", permissions.can_review),
    (_("Accept in bulk"), "annotation:accept", permissions.can_accept_in_bulk),
    (_("Similar items"), "selection:grid", permissions.can_review),
    (_("Guide"), "annotation:guide", permissions.is_member),
    (_("Items"), "annotation:items", permissions.can_see_items),
    (_("Discussions"), "annotation:discussions", permissions.is_member),
    None,
    (_("Import"), "annotation:import", permissions.can_engineer),
    (_("Export"), "annotation:export", permissions.can_engineer),
    None,
    (_("Rounds"), "selection:rounds", permissions.can_engineer),
    (_("Pool"), "selection:pool", permissions.can_engineer),
    (_("Models"), "training:models", permissions.can_engineer),
    (_("Value"), "selection:values", permissions.can_engineer),
    (_("Patterns"), "annotation:patterns", permissions.can_engineer),
    (_("Suggestions"), "training:suggestions", permissions.can_engineer),
    (_("Agreement"), "annotation:agreement", permissions.can_engineer),
    (_("Jobs"), "annotation:jobs", permissions.can_engineer),
    None,
    (_("People"), "annotation:people", permissions.can_admin),
    (_("Settings"), "annotation:settings", permissions.can_admin),
)
_PERSONAL_PAGES = (
    (_("My projects"), "annotation:home"),
    (_("News"), "accounts:notices"),
    (_("My pace and feedback"), "annotation:me"),
    (_("Preferences and tokens"), "accounts:preferences"),
    (_("Dashboard"), "annotation:dashboard"),
)


@dataclass(frozen=True)
class Entry:
    label: str
    url: str
    current: bool = False
    starts_group: bool = False


@dataclass(frozen=True)
class ProjectLink:
    name: str
    url: str


@dataclass(frozen=True)
class Nav:
    project: Project | None
    entries: list[Entry]
    others: list[ProjectLink]
    personal: list[Entry]
    news: int = 0  # unread


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `nav`, made when a template asks for it."""
    return {"nav": SimpleLazyObject(partial(_nav, request))}


def _address(name: str, **kwargs: str) -> str | None:
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return None


def _nav(request: HttpRequest) -> Nav:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Nav(None, [], [], [])
    match = request.resolver_match
    slug = match.kwargs.get("slug") if match else None
    mine = list(project_selectors.projects_of(user, archived=True))
    project = next((one for one in mine if one.slug == slug), None)
    if project is not None:  # asked once here, known to every predicate below
        project.viewer = permissions.Viewer(user.pk, permissions.role_of(user, project))  # type: ignore[attr-defined]
    others = [
        ProjectLink(one.name, one.get_absolute_url())
        for one in mine
        if one != project and one.state != Project.State.ARCHIVED
    ]
    return Nav(
        project=project,
        entries=_project_entries(request, project) if project else [],
        others=others[:12],
        news=unread_count(user),
        personal=[
            Entry(str(label), url, request.path == url)
            for label, name in _PERSONAL_PAGES
            if (url := _address(name))
        ],
    )


def _project_entries(request: HttpRequest, project: Project) -> list[Entry]:
    entries: list[Entry] = []
    gap = False
    for page in _PROJECT_PAGES:
        if page is None:
            gap = bool(entries)
            continue
        label, name, may_see = page
        url = _address(name, slug=project.slug)
        if url is None or not may_see(request.user, project):
            continue
        current = request.path == url or request.path.startswith(f"{url.rstrip('/')}/")
        entries.append(Entry(str(label), url, current, gap))
        gap = False
    return entries
