from __future__ import annotations

import numpy as np
import pytest

from training.objectives.hierarchy import LabelTree
from training.objectives.registry import objective_for
from training.objectives.task import Choices, Encoded

LABELS = [
    {"id": "money", "name": "Money"},
    {"id": "refund", "name": "Refund", "parent": "money"},
    {"id": "fee", "name": "Fee", "parent": "money"},
    {"id": "late-fee", "name": "Late fee", "parent": "fee"},
    {"id": "card-fee", "name": "Card fee", "parent": "fee"},
    {"id": "other", "name": "Other"},
]
FIELD = {"name": "label", "type": "classification", "labels": LABELS}
NONE = Encoded(tokens=[])


def by_hand(task: LabelTree, logits: np.ndarray, choices: list[list[tuple[str, list[str]]]]) -> list[float]:
    """The product down each path of (choice, its sisters)."""
    exp = dict(zip(names(task), np.exp(logits), strict=True))
    return [
        float(np.prod([exp[one] / sum(exp[sister] for sister in sisters) for one, sisters in path]))
        for path in choices
    ]


def names(task: LabelTree) -> list[str]:
    if task.field.get("any_node"):
        return [*("money", "other"), *("refund", "fee", "money here"), *("late-fee", "card-fee", "fee here")]
    return ["money", "other", "refund", "fee", "late-fee", "card-fee"]


def test_the_probability_of_a_leaf_is_the_product_down_its_path() -> None:
    import torch

    task = LabelTree(FIELD, Choices())
    assert task.columns == ["refund", "late-fee", "card-fee", "other"] and task.outputs == 6
    logits = np.array([0.5, -0.2, 1.0, 0.1, -1.0, 2.0])
    top, money, fee = ["money", "other"], ["refund", "fee"], ["late-fee", "card-fee"]
    wanted = by_hand(
        task,
        logits,
        [
            [("money", top), ("refund", money)],
            [("money", top), ("fee", money), ("late-fee", fee)],
            [("money", top), ("fee", money), ("card-fee", fee)],
            [("other", top)],
        ],
    )
    probs = task.probabilities(logits[None], NONE, {"temperature": 1.0})
    assert probs[0] == pytest.approx(wanted, rel=1e-5) and probs.sum() == pytest.approx(1)
    outputs = torch.from_numpy(logits[None].repeat(2, axis=0))
    losses = task.losses(outputs, torch.tensor([2, 3])).numpy()
    assert losses == pytest.approx(-np.log([wanted[2], wanted[3]]), rel=1e-5)
    shares = np.array([[0.2, 0.3, 0.5, 0.0]], dtype=np.float32)
    soft = task.losses(outputs[:1], torch.from_numpy(shares)).numpy()
    assert soft == pytest.approx([-(shares[0] * np.log(wanted)).sum()], rel=1e-5)


def test_an_inner_node_that_may_be_answered_has_a_choice_of_its_own() -> None:
    task = LabelTree({**FIELD, "any_node": True}, Choices())
    assert task.columns == [label["id"] for label in LABELS] and task.outputs == 8
    rng = np.random.default_rng(0)
    logits = rng.normal(size=8)
    top, money = ["money", "other"], ["refund", "fee", "money here"]
    probs = task.probabilities(logits[None], NONE, {"temperature": 1.0})[0]
    wanted = by_hand(
        task, logits, [[("money", top), ("money here", money)], [("money", top), ("refund", money)]]
    )
    assert probs[:2] == pytest.approx(wanted, rel=1e-5) and probs.sum() == pytest.approx(1)


def test_it_answers_the_likeliest_leaf_and_not_the_likeliest_branch() -> None:
    task = LabelTree(FIELD, Choices())
    logits = np.array([0.3, 0.0, 0.0, 0.0, 0.0, 0.0])  # money is likelier than other, but parts into three
    found = task.answers(task.probabilities(logits[None], NONE, {"temperature": 1.0}), NONE, {})
    assert found[0].value == "other"


def test_its_head_starts_as_a_probe_of_every_branch() -> None:
    from training.objectives.frozen import Examples

    task = LabelTree(FIELD, Choices())
    targets = np.arange(40) % 4
    vectors = np.eye(4, dtype=np.float32)[targets]
    train = Examples(
        rows=np.arange(40), texts=[""] * 40, weights=np.ones(40), answers=[""] * 40, targets=targets
    )
    start = task.head_start(vectors, train, 0)
    assert start is not None
    weight, bias = start
    outputs = vectors @ weight.T + bias
    assert (task.probabilities(outputs, NONE, {"temperature": 1.0}).argmax(axis=1) == targets).all()


def test_a_tree_is_learnt_as_one() -> None:
    assert objective_for(FIELD).name == "hierarchy"
    flat = {**FIELD, "labels": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]}
    assert objective_for(flat).name == "classification"
    with pytest.raises(ValueError, match="no objective of an encoder learns from the type 'response'"):
        objective_for({"name": "reply", "type": "response"})


def test_the_losses_of_its_levels_are_its_loss() -> None:
    import torch

    task = LabelTree(FIELD, Choices())
    assert (task.parts_are, list(task.parts)) == ("levels", ["1", "2", "3"])
    logits = np.array([0.5, -0.2, 1.0, 0.1, -1.0, 2.0])
    outputs = torch.from_numpy(logits[None].repeat(3, axis=0))
    targets = torch.tensor([2, 3, 0])  # card-fee, other, refund
    found = task.part_losses(outputs, targets)
    exp = np.exp(logits)
    top, money, fee = (np.log(exp[at] / exp[at].sum()) for at in (slice(0, 2), slice(2, 4), slice(4, 6)))
    wanted = -np.array([[top[0], money[1], fee[1]], [top[1], 0, 0], [top[0], money[0], 0]])
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5)
    assert torch.equal(found.sum(dim=1), task.losses(outputs, targets))
    shares = torch.tensor([[0.2, 0.3, 0.5, 0.0]])
    soft = task.part_losses(outputs[:1], shares)
    assert torch.equal(soft.sum(dim=1), task.losses(outputs[:1], shares))
    assert soft[0].tolist() == pytest.approx(
        [-top[0], -(0.2 * money[0] + 0.8 * money[1]), -(0.3 * fee[0] + 0.5 * fee[1])], rel=1e-5
    )


def test_an_answer_at_an_inner_node_is_a_choice_of_the_level_below() -> None:
    import torch

    task = LabelTree({**FIELD, "any_node": True}, Choices())
    found = task.part_losses(torch.zeros(1, 8), torch.tensor([0]))  # money itself
    assert found[0].tolist() == pytest.approx([np.log(2), np.log(3), 0.0])
