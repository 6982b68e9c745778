"""Who belongs to a team: adding, changing roles, removing. A team never loses its last owner."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from accounts.models import Membership, Role, Team, User

# Without signs that are mistaken for one another when read aloud.
_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class LastOwner(Exception):
    """The change would leave the team without an owner who can sign in."""


@dataclass(frozen=True)
class Added:
    """`password` is the one-time password of a new user, kept nowhere in clear; else ""."""

    user: User
    password: str


def add(team: Team, *, email: str, name: str, roles: Iterable[str]) -> Added:
    """Makes the person a member; a person without an account gets one."""
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email).first()
        password = ""
        if user is None:
            password = one_time_password()
            user = User.objects.create_user(email, password, name=name)
        Membership.objects.bulk_create(
            [Membership(team=team, user=user, role=role) for role in sorted(set(roles))],
            ignore_conflicts=True,
        )
    return Added(user, password)


def change_roles(team: Team, user: User, roles: Iterable[str]) -> None:
    """Exactly these roles from now on; none removes the member. Raises LastOwner."""
    wanted = set(roles)
    with transaction.atomic():
        # The team's row is the lock: two owners who remove each other at once can't both succeed.
        Team.objects.select_for_update().get(pk=team.pk)
        if Role.OWNER not in wanted and not _other_owners(team, user):
            raise LastOwner
        mine = Membership.objects.filter(team=team, user=user)
        mine.exclude(role__in=wanted).delete()
        Membership.objects.bulk_create(
            [Membership(team=team, user=user, role=role) for role in sorted(wanted)],
            ignore_conflicts=True,
        )


def one_time_password() -> str:
    """About 93 bits, in groups that can be read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _other_owners(team: Team, user: User) -> bool:
    owners = Membership.objects.filter(team=team, role=Role.OWNER, user__is_active=True)
    return owners.exclude(user=user).exists()
