from __future__ import annotations

from uuid import uuid4

import pytest

from accounts.models import AuditEntry
from accounts.models.audit import AppendOnlyError
from accounts.selectors import audit as selected
from accounts.services import audit, users

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry():
    user = users.create_user("ana")
    return audit.record("project.archived", actor=user, scope=uuid4(), target=user, reason="done")


def test_it_records_who_did_what_to_which(entry):
    assert (entry.verb, entry.actor.username, entry.data) == ("project.archived", "ana", {"reason": "done"})
    assert (entry.target_type, entry.target_id) == ("accounts.user", str(entry.actor.uuid))
    assert list(selected.for_scope(entry.scope)) == [entry]


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.save(),
        lambda entry: entry.delete(),
        lambda entry: AuditEntry.objects.filter(pk=entry.pk).update(verb="x"),
        lambda entry: AuditEntry.objects.filter(pk=entry.pk).delete(),
        lambda entry: AuditEntry.objects.bulk_update([entry], ["verb"]),
    ],
)
def test_it_refuses_to_change_or_delete(entry, change):
    with pytest.raises(AppendOnlyError, match="record a further entry that corrects it"):
        change(entry)
    assert AuditEntry.objects.get(pk=entry.pk).verb == "project.archived"
