"""Addresses below /accounts/."""

from django.urls import path

from accounts.views import members, session, team

app_name = "accounts"

urlpatterns = [
    path("sign-in/", session.sign_in, name="sign_in"),
    path("sign-out/", session.sign_out, name="sign_out"),
    path("team/<int:team_id>/", session.choose_team, name="choose_team"),
    path("team/", team.team_settings, name="team_settings"),
    path("members/", members.members, name="members"),
    path("members/add/", members.add_member, name="member_add"),
    path("members/<int:user_id>/", members.member_roles, name="member_roles"),
    path("members/<int:user_id>/remove/", members.remove_member, name="member_remove"),
    path("language/", session.choose_language, name="language"),
    path("me/", members.account, name="account"),
    path("me/password/", members.change_password, name="change_password"),
]
