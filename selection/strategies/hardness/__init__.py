"""What is hard for a model, and what kind of hard it is.

losses        loss on labelled items that the model has not seen, carried to the pool over neighbours
loss_ranking  what lies above a percentile, and how far the carried loss can be trusted
cartography   training dynamics: confidence, variability, correctness, forgetting
adversarial   the smallest push on an embedding that flips the prediction, and the real items next to it
tags          boundary, long tail, domain shift or compositional, with the rule that said so
"""

from selection.strategies.hardness.losses import (
    FOLDS,
    LEAST_PROBABILITY,
    NEIGHBOURS,
    carry_to_pool,
    carry_with_nearness,
    cross_validated_losses,
    deal,
    held_out_probabilities,
    pick_hardness,
)

__all__ = [
    "FOLDS",
    "LEAST_PROBABILITY",
    "NEIGHBOURS",
    "carry_to_pool",
    "carry_with_nearness",
    "cross_validated_losses",
    "deal",
    "held_out_probabilities",
    "pick_hardness",
]
