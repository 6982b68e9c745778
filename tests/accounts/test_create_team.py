"""`manage.py create_team`: how a fresh production gets its first team and owner."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from accounts.models import Membership, Role, Team, User

pytestmark = pytest.mark.django_db


def test_it_makes_a_team_and_an_owner_who_can_sign_in(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_team", "鸿雁科技", "--owner", "li@corp.example")
    password = re.search(r"\w{4}(-\w{4}){3}", capsys.readouterr().out)
    assert password is not None
    user = authenticate(username="li@corp.example", password=password.group())
    member = Membership.objects.get()
    assert (member.team.name, member.user, member.role) == ("鸿雁科技", user, Role.OWNER)


def test_a_person_who_is_there_keeps_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    user = User.objects.create_user("li@corp.example", "correct horse battery")
    call_command(
        "create_team", "二队", "--owner", "LI@corp.example", "--time-zone", "Europe/Berlin"
    )
    assert "password" not in capsys.readouterr().out
    assert user.check_password("correct horse battery")
    assert Team.objects.get().time_zone == "Europe/Berlin"
    assert Membership.objects.get().user == user


@pytest.mark.parametrize(("option", "allowed"), [([], False), (["--intranet-links"], True)])
def test_intranet_links_are_allowed_on_demand_alone(option: list[str], allowed: bool) -> None:
    call_command("create_team", "三队", "--owner", "li@corp.example", *option)
    assert Team.objects.get().intranet_links_allowed is allowed


@pytest.mark.parametrize(
    "arguments",
    [
        ("队", "--owner", "no address"),
        ("队", "--owner", "li@corp.example", "--time-zone", "Mars/North"),
        ("", "--owner", "li@corp.example"),
    ],
)
def test_it_rejects_what_it_cannot_use_and_leaves_nothing(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("create_team", *arguments)
    assert not Team.objects.exists()
    assert not User.objects.exists()
