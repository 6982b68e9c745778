"""Addresses below /accounts/."""

from django.urls import path

from accounts.views import session

app_name = "accounts"

urlpatterns = [
    path("sign-in/", session.sign_in, name="sign_in"),
    path("sign-out/", session.sign_out, name="sign_out"),
    path("team/<int:team_id>/", session.choose_team, name="choose_team"),
]
