from __future__ import annotations

from rest_framework.routers import SimpleRouter

from selection.api import pool, rounds, values

router = SimpleRouter(trailing_slash=False)
router.register(r"projects/(?P<slug>[-\w]+)/rounds", rounds.Rounds, basename="api-round")
router.register(r"projects/(?P<slug>[-\w]+)/pool", pool.PoolViews, basename="api-pool")
router.register(r"projects/(?P<slug>[-\w]+)/value", values.Values, basename="api-value")

urlpatterns = router.urls
