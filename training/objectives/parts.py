"""Between which tasks of a fine-tune gradient surgery stands: new and replayed items, or parts of the loss."""

from __future__ import annotations

from typing import Literal, get_args

from accounts.sentences import SentenceError, gettext_noop
from training.objectives.task import Task

Among = Literal["increment", "dimensions", "levels", "labels"]
INCREMENT: Among = "increment"  # items that are new, and those learnt again
MOST = 8  # tasks of a run: each is one more backward pass and one more copy of the gradients


def check(among: str, task: Task) -> None:
    """Whether an objective has tasks of that kind.

    Raises:
        ValueError: it has not two of them, or there is no such kind.
    """
    if among not in get_args(Among):
        raise SentenceError(
            gettext_noop("surgery_tasks: found %(among)s, expected one of %(known)s"),
            among=repr(among),
            known=", ".join(get_args(Among)),
        )
    able = task.parts_are if len(task.parts) > 1 else ""
    if among not in (INCREMENT, able):
        raise SentenceError(
            gettext_noop(
                "surgery_tasks: found %(among)s, and this question has no two of them that could conflict: use "
                "%(able)s, or leave gradient_surgery off"
            ),
            among=among,
            able=able or INCREMENT,
        )


def grouped(count: int, most: int = MOST) -> list[list[int]]:
    """So many parts, one after the other, in at most so many groups of nearly one size.

    >>> grouped(3), grouped(5, most=2)
    ([[0], [1], [2]], [[0, 1, 2], [3, 4]])
    """
    groups = min(count, most)
    return [[at for at in range(count) if at * groups // count == number] for number in range(groups)]
