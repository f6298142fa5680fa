from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotation import permissions
from annotation.errors import MembershipEnded, ProjectArchived
from annotation.models import Project, Role
from annotation.selectors.projects import get_project, projects_of, scopes_run_by
from annotation.services import memberships, projects
from tests.factories import add_member, make_project, make_user, membership_of

pytestmark = pytest.mark.django_db

PREDICATES = [
    permissions.is_member,
    permissions.can_label,
    permissions.can_review,
    permissions.can_engineer,
    permissions.can_admin,
]


@pytest.mark.parametrize(
    ("role", "allowed"), [("annotator", 2), ("reviewer", 3), ("engineer", 4), ("admin", 5)]
)
def test_it_gives_each_role_what_the_lower_ones_may(role: str, allowed: int) -> None:
    project = make_project()
    user = add_member(project, role)
    assert [predicate(user, project) for predicate in PREDICATES] == [True] * allowed + [False] * (
        5 - allowed
    )


def test_it_tells_an_outsider_nothing_and_a_member_why() -> None:
    project = make_project()
    for outsider in (make_user(), AnonymousUser()):
        with pytest.raises(Http404):
            get_project(outsider, project.slug, permissions.is_member)
    annotator = add_member(project)
    assert get_project(annotator, project.slug, permissions.can_label) == project
    with pytest.raises(PermissionDenied, match="role"):
        get_project(annotator, project.slug, permissions.can_engineer)
    with pytest.raises(Http404):
        get_project(annotator, "nowhere", permissions.is_member)


def test_it_shuts_out_who_was_deactivated_here_or_everywhere() -> None:
    project = make_project()
    user = add_member(project)
    memberships.deactivate(membership_of(project, user))
    with pytest.raises(MembershipEnded, match="not belong to this project any more"):
        get_project(user, project.slug, permissions.is_member)
    other = add_member(project)
    other.is_active = False
    assert not permissions.is_member(other, project)


def test_it_lets_nobody_label_in_an_archived_project_but_its_admin_look() -> None:
    project = make_project()
    admin = add_member(project, Role.ADMIN)
    projects.archive(project)
    with pytest.raises(ProjectArchived, match="archived"):
        get_project(admin, project.slug, permissions.can_label)
    assert get_project(admin, project.slug, permissions.can_admin) == project


def test_it_loads_a_project_and_its_role_in_one_query(django_assert_num_queries: object) -> None:
    project = make_project()
    user = add_member(project, Role.ENGINEER)
    with django_assert_num_queries(1):  # type: ignore[operator]
        loaded = get_project(user, project.slug, permissions.can_label)
        assert permissions.can_engineer(user, loaded) and not permissions.can_admin(user, loaded)


def test_it_lists_ones_own_projects_and_a_superuser_all() -> None:
    mine, other, old = make_project("Mine"), make_project("Other"), make_project("Old")
    user = add_member(mine, Role.ENGINEER)
    add_member(old, user=user)
    projects.archive(old)
    assert list(projects_of(user)) == [mine]
    assert list(projects_of(user, archived=True)) == [mine, old]
    assert list(projects_of(make_user(is_superuser=True))) == [mine, other]
    assert scopes_run_by(user) == [mine.uuid]


def test_it_lets_engineers_make_projects_and_annotators_not() -> None:
    project = make_project()
    assert permissions.can_create_projects(add_member(project, Role.ENGINEER))
    assert permissions.can_create_projects(make_user(is_superuser=True))
    assert not permissions.can_create_projects(add_member(project))
    assert not permissions.can_create_projects(AnonymousUser())
    assert Project.objects.count() == 1
