"""What can be wrong with a pool. Every message says what was found, what was expected, and what to do."""

from __future__ import annotations


class PoolError(ValueError):
    """The pool cannot be chosen from as it stands."""

    code = "bad_pool"


class PoolTooSmall(PoolError):
    """The batch is larger than the pool."""

    code = "pool_too_small"


class MissingColumn(PoolError):
    """The strategy needs a column that the pool does not have."""

    code = "missing_column"


class BadProbabilities(PoolError):
    """NaN, a value outside [0, 1], or a row that does not sum to one."""

    code = "bad_probabilities"


class OneClass(PoolError):
    """The model knows a single label, so nothing is uncertain."""

    code = "one_class"


class BadEmbeddings(PoolError):
    """NaN, an all-zero row, or a row that is not of length one."""

    code = "bad_embeddings"


class BadHardness(PoolError):
    """A hardness that is not a number."""

    code = "bad_hardness"


class NothingLabelled(PoolError):
    """Hardness is learnt from labelled items, and there is none."""

    code = "nothing_labelled"


class UnknownStrategy(PoolError):
    """No strategy of that name is registered."""

    code = "unknown_strategy"
