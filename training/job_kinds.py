"""Job kinds of this app, and what it does periodically."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from jobs import registry
from training.permissions import may_cancel_job, may_see_job
from training.services import base_models, comparisons, evaluations, reinforcing, runs, suggestions

registry.register(
    runs.KIND,
    runs.perform,
    label=_("Training"),
    resource="gpu",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    reinforcing.KIND,
    reinforcing.perform,
    label=_("Learning from rewards"),
    resource="gpu",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    evaluations.KIND,
    evaluations.perform,
    label=_("Evaluation of a model"),
    resource="gpu",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    comparisons.KIND,
    comparisons.perform,
    label=_("Comparison with a fresh start"),
    resource="gpu",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    suggestions.KIND,
    suggestions.perform,
    label=_("Suggestions without a model"),
    resource="gpu",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    suggestions.WITHDRAW,
    suggestions.perform_withdraw,
    label=_("Taking suggestions back"),
    resource="io",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register(
    base_models.FETCH,
    base_models.perform_fetch,
    label=_("Fetching a base model"),
    resource="io",
    may_see=may_see_job,
    may_cancel=may_cancel_job,
)
registry.register_periodic("training.settle_runs", 10.0, runs.settle_all)
registry.register_periodic("training.decide_reinforced", 10.0, reinforcing.decide_all)
