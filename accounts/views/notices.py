"""What one was told: read, and marked as read."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.selectors import notices as selectors
from accounts.services import notices


@login_required
@require_http_methods(["GET", "POST"])
def notices_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        notices.read(request.user)  # type: ignore[arg-type]
        return redirect("accounts:notices")
    told = selectors.newest(request.user)  # type: ignore[arg-type]
    context = {"told": told, "unread": sum(one.is_unread for one in told)}
    return render(request, "accounts/notices/page.html", context)
