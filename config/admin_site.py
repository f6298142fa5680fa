"""The Django admin at /admin/db/: every table, for superusers only. Daily work has pages of its own."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class GyreAdminSite(AdminSite):
    site_header = _("Gyre database")
    site_title = _("Gyre database")
    index_title = _("Tables")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff is not enough: whoever can edit any row can give themselves any right."""
        return bool(request.user.is_active and request.user.is_superuser)
