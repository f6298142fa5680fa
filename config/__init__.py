"""The Django project: settings, URLs, Celery, admin site. Names the apps by string; nobody imports it."""
