"""Which model serves. One row a reign; the database holds that only one has no end."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.models import Project
from jobs.services import artifacts
from training.models import Deployment, ModelVersion
from training.selectors import models


def deploy(model: ModelVersion, *, by: User | None = None) -> Deployment:
    """Make `model` the deployed one. Its files are verified first; deploying it twice changes nothing.

    Raises:
        BrokenArtifact: files of the model are missing or changed; the deployed one stays.
    """
    artifacts.open_verified(model.artifact)
    return put_in_service(model, by=by)


def put_in_service(model: ModelVersion, *, by: User | None = None) -> Deployment:
    """The same for who has verified its files already: that takes long, and no lock should wait for it."""
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=model.project_id)
        live = Deployment.objects.filter(project=model.project_id, ended_at__isnull=True).first()
        if live is not None and live.model_id == model.pk:
            return live
        if live is not None:
            Deployment.objects.filter(pk=live.pk).update(ended_at=timezone.now())
        deployment = Deployment.objects.create(project=model.project, model=model, by=by)
        audit.record("model.deployed", actor=by, scope=model.project.uuid, target=model, number=model.number)
    return deployment


def predecessor(model: ModelVersion) -> ModelVersion | None:
    """The model that was deployed last before `model`; None if there was no other."""
    row = (
        Deployment.objects.filter(project=model.project_id)
        .exclude(model=model)
        .select_related("model__artifact", "model__project")
        .first()
    )
    return row.model if row else None


def is_deployed(model: ModelVersion) -> bool:
    current = models.deployed(model.project)
    return current is not None and current.pk == model.pk
