from __future__ import annotations

from rest_framework.routers import SimpleRouter

from jobs.api import jobs

router = SimpleRouter(trailing_slash=False)
router.register("jobs", jobs.Jobs, basename="api-job")

urlpatterns = router.urls
