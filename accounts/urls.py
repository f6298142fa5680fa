from __future__ import annotations

from django.urls import path

from accounts.views import login, notices, password, preferences

app_name = "accounts"
urlpatterns = [
    path("login/", login.Login.as_view(), name="login"),
    path("logout/", login.Logout.as_view(), name="logout"),
    path("news/", notices.notices_page, name="notices"),
    path("me/", preferences.preferences, name="preferences"),
    path("me/tokens/", preferences.create_token, name="create_token"),
    path("me/tokens/<int:token_id>/revoke/", preferences.revoke_token, name="revoke_token"),
    path("appearance/", preferences.appearance, name="appearance"),
    path("password/", password.Change.as_view(), name="password_change"),
    path("password/reset/", password.Reset.as_view(), name="password_reset"),
    path("password/reset/sent/", password.ResetDone.as_view(), name="password_reset_done"),
    path("password/reset/done/", password.Complete.as_view(), name="password_reset_complete"),
    path("password/reset/<uidb64>/<token>/", password.Confirm.as_view(), name="password_reset_confirm"),
]
