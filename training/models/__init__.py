"""Rows of the middle floor, one noun a file."""

from .evaluation import Decision, Evaluation
from .model import Deployment, ModelVersion
from .run import TrainingRun

__all__ = ["Decision", "Deployment", "Evaluation", "ModelVersion", "TrainingRun"]
