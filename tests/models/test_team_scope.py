"""Every table belongs to a team, and no two teams can share a row by mistake."""

from __future__ import annotations

from django.apps import apps
from django.db import models

# What has no team: the team itself, people (who may be in several), sign-in failures of anybody, and
# when the installation's own programs last ran.
WITHOUT = {"Team", "User", "SignInFailure", "Heartbeat", "Installation"}


def ours() -> list[type[models.Model]]:
    return [
        *apps.get_app_config("accounts").get_models(),
        *apps.get_app_config("campaigns").get_models(),
    ]


def test_every_table_has_a_team_that_is_never_null() -> None:
    missing = [
        model.__name__
        for model in ours()
        if model.__name__ not in WITHOUT
        and not any(
            field.name == "team" and not field.null and field.related_model.__name__ == "Team"
            for field in model._meta.fields
        )
    ]
    assert missing == []


def test_the_walk_sees_the_tables() -> None:
    names = {model.__name__ for model in ours()}
    assert {"Delivery", "Attempt", "Claim", "Relay", "Workbook", "Suppression"} <= names
