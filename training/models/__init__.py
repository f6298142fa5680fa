"""Rows of the middle floor, one noun a file."""

from .base_model import BaseModel
from .evaluation import Comparison, Decision, Evaluation
from .model import Deployment, ModelVersion
from .run import TrainingRun

__all__ = [
    "BaseModel",
    "Comparison",
    "Decision",
    "Deployment",
    "Evaluation",
    "ModelVersion",
    "TrainingRun",
]
