"""Logging in and out. Guessing is stopped by axes, whose page is accounts/login/locked.html."""

from __future__ import annotations

from django.contrib.auth import views


class Login(views.LoginView):
    template_name = "accounts/login/login.html"
    redirect_authenticated_user = True


class Logout(views.LogoutView):
    pass
