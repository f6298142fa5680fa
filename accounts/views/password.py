"""Forgotten and changed passwords: Django's views with our templates."""

from __future__ import annotations

from django.contrib.auth import views
from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


class Reset(views.PasswordResetView):
    template_name = "accounts/password/reset.html"
    email_template_name = "accounts/password/reset_mail.txt"
    subject_template_name = "accounts/password/reset_subject.txt"
    success_url = reverse_lazy("accounts:password_reset_done")


class ResetDone(views.PasswordResetDoneView):
    template_name = "accounts/password/reset_done.html"


class Confirm(views.PasswordResetConfirmView):
    template_name = "accounts/password/confirm.html"
    success_url = reverse_lazy("accounts:password_reset_complete")


class Complete(views.PasswordResetCompleteView):
    template_name = "accounts/password/complete.html"


class Change(SuccessMessageMixin, views.PasswordChangeView):
    template_name = "accounts/password/change.html"
    success_url = reverse_lazy("accounts:preferences")
    success_message = _("Your password is changed.")
