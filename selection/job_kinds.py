"""Job kinds of this app, and what it does periodically."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from jobs import registry
from selection.models import Station
from selection.permissions import may_cancel_job, may_see_job
from selection.selectors import prompts as prompt_reads
from selection.selectors import values as value_reads
from selection.services import builds, indexing, previews, prompts, refreshes, replays, rounds, steps, values

_LABELS = {
    Station.COLLECT: _("Round: collect labels and embed new items"),
    Station.FREEZE: _("Round: freeze the labels"),
    Station.DECIDE: _("Round: decide on the model"),
    Station.SCORE: _("Round: score the pool"),
    Station.PICK: _("Round: pick the batch"),
    Station.PUBLISH: _("Round: publish the batch"),
}
# Seconds of reading and writing, which need not wait for hours until another project's model is trained.
_LIGHT = (Station.FREEZE, Station.PUBLISH)
for _station, (_name, _function) in steps.KINDS.items():
    registry.register(
        _name,
        _function,
        label=_LABELS[_station],
        resource="io" if _station in _LIGHT else "gpu",
        may_see=may_see_job,
        may_cancel=may_cancel_job,
    )
for _name, _function, _label in (
    (builds.KIND, builds.perform_embed, _("Embedding of the pool")),
    (builds.EMBED_KIND, builds.perform_part, _("Embedding of a part of the pool")),
    (builds.SCORE_KIND, builds.perform_part, _("Scoring of a part of the pool")),
    (refreshes.KIND, refreshes.perform, _("Warm refresh of a batch")),
    (indexing.KIND, indexing.perform, _("Index of the pool")),
    (previews.KIND, previews.perform, _("Preview of a batch")),
    (replays.KIND, replays.perform, _("Replay of a round")),
    (value_reads.KIND, values.perform, _("Value of labels")),
    (prompt_reads.KIND, prompts.perform, _("Answers of a language model to prompts")),
):
    registry.register(
        _name, _function, label=_label, resource="gpu", may_see=may_see_job, may_cancel=may_cancel_job
    )
registry.register_periodic("selection.advance_builds", 3.0, builds.advance_all)
registry.register_periodic("selection.refresh_batches", 3.0, refreshes.refresh_due)
registry.register_periodic("selection.revalue_labels", 30.0, values.revalue_due)
registry.register_periodic("selection.build_indexes", 30.0, indexing.build_due)
registry.register_periodic("selection.advance_rounds", 3.0, rounds.advance_all)
