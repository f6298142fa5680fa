"""What can go wrong between labels and a model."""

from __future__ import annotations

from accounts.errors import GyreError


class TrainingError(GyreError):
    code = "training_error"


class NotTrainable(TrainingError):
    """The data cannot teach anything: no label, or one label only."""

    code = "not_trainable"


class BadSettings(TrainingError):
    """Settings that a learner refuses."""

    code = "bad_settings"


class RunFailed(TrainingError):
    code = "run_failed"


class NothingToEvaluate(TrainingError):
    code = "nothing_to_evaluate"
    status = 409


class NotDeployable(TrainingError):
    code = "not_deployable"
    status = 409


class NotSuggestible(TrainingError):
    """The source cannot suggest for this project now."""

    code = "not_suggestible"
    status = 409


class BadBaseModel(TrainingError):
    """A folder that cannot be tuned here, or a name that stands for none."""

    code = "bad_base_model"
