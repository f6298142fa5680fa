"""How models have got better round by round, and what the picks have gained over drawing at random."""

from __future__ import annotations

from dataclasses import dataclass

from annotation.models import Project
from selection.models import Round, Station
from selection.selectors import rounds
from training.models import Evaluation
from training.selectors import evaluations
from training.selectors.evaluations import Measured


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One round's model on the test items. `control` and `picks`: accuracy of probes trained on equal numbers
    of labels of the control arm and of the strategy's picks; None while either has too few.
    """

    round_number: int
    labels: int
    accuracy: Measured
    control: Measured | None
    picks: Measured | None


def turns(project: Project) -> list[Turn]:
    """Every round that judged a model, oldest first."""
    done = rounds.for_project(project).filter(run__isnull=False).order_by("number")
    judged = {
        (evaluation.model.run_id, evaluation.dataset_id): evaluation
        for evaluation in Evaluation.objects.filter(project=project).select_related("model")
    }
    found = []
    for round_ in done:
        evaluation = judged.get((round_.run_id, round_.dataset_id))
        if evaluation is not None and round_.dataset is not None:
            control, picks = _arms(round_)
            found.append(
                Turn(
                    round_number=round_.number,
                    labels=round_.dataset.train_count,
                    accuracy=evaluations.accuracy(evaluation),
                    control=control,
                    picks=picks,
                )
            )
    return found


def _arms(round_: Round) -> tuple[Measured | None, Measured | None]:
    """Accuracy of the probes on the control arm and on the picks, as the round has noted it."""
    for station in round_.stations.all():
        if station.name == Station.DECIDE and (gain := station.detail.get("control")):
            return Measured(value=gain["control"], n=gain["n"]), Measured(value=gain["picked"], n=gain["n"])
    return None, None
