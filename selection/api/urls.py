from __future__ import annotations

from rest_framework.routers import SimpleRouter

from selection.api import rounds

router = SimpleRouter(trailing_slash=False)
router.register(r"projects/(?P<slug>[-\w]+)/rounds", rounds.Rounds, basename="api-round")

urlpatterns = router.urls
