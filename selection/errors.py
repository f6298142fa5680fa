"""What can go wrong with a round."""

from __future__ import annotations

from accounts.errors import GyreError


class SelectionError(GyreError):
    code = "selection_error"


class BadSpec(SelectionError):
    """A round's order cannot be followed as it stands."""

    code = "bad_round_spec"


class PoolTooSmall(SelectionError):
    """Fewer items wait than a batch needs."""

    code = "pool_too_small"
    status = 409


class RoundRunning(SelectionError):
    """Another round of the project has not ended yet."""

    code = "round_running"
    status = 409


class RoundEnded(SelectionError):
    """What was asked needs a round in another state."""

    code = "round_ended"
    status = 409


class NothingToReplay(SelectionError):
    code = "nothing_to_replay"
    status = 409


class BadQuery(SelectionError):
    """What was searched for cannot be."""

    code = "bad_query"


class LayerInUse(SelectionError):
    """Something goes by the vectors of the layer chosen before."""

    code = "layer_in_use"
    status = 409


class NothingToRefresh(SelectionError):
    code = "nothing_to_refresh"
    status = 409


class NothingToValue(SelectionError):
    """The project has too few labels to work out what each is worth, or labels of another type."""

    code = "nothing_to_value"
    status = 409


class NothingToAsk(SelectionError):
    """No prompt waits for a response here, or the language model is not installed."""

    code = "nothing_to_ask"
    status = 409


class SimulationRefused(SelectionError):
    code = "simulation_refused"
