from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.services.eta import Eta


def test_it_extrapolates_from_the_first_report():
    eta = Eta()
    assert eta.update(100.0, 0.2) is None  # what was there at the start is no speed
    assert eta.update(110.0, 0.4) == 30.0
    assert eta.update(140.0, 1.0) == 0.0


def test_it_says_nothing_before_a_hundredth_is_done():
    eta = Eta()
    eta.update(0.0, 0.0)
    assert eta.update(60.0, 0.005) is None
    assert eta.update(0.5, 0.5) is None


def test_it_starts_again_with_a_new_stage():
    eta = Eta()
    eta.update(0.0, 0.0)
    eta.update(10.0, 1.0)
    assert eta.update(11.0, 0.1) is None
    assert eta.update(13.0, 0.3) == 7.0


@given(st.floats(0.02, 1.0), st.floats(1.0, 1e6))
def test_it_is_right_at_a_steady_speed(share, total):
    eta = Eta()
    eta.update(0.0, 0.0)
    left = eta.update(share * total, share)
    if share * total >= 1.0:
        assert left is not None
        assert abs(left - (1.0 - share) * total) < 1e-6 * total
