"""Ids in the bodies of forms (ASVS 8.2.2): every field that chooses a row offers the team's own alone."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django import forms
from django.forms.models import ModelChoiceField
from django.urls import reverse

import accounts.forms
import campaigns.forms
from accounts.models import Relay, Right
from accounts.models.oauth_login import OAuthProvider
from campaigns.models import AlertChannel, Campaign, Workbook
from campaigns.models.alert import ChannelKind
from campaigns.models.template import Kind
from tests.security.world import World

pytestmark = pytest.mark.django_db


def every_form() -> Iterator[type[forms.BaseForm]]:
    """Every form class of the site's two modules of forms, those that others build on too."""
    modules: list[ModuleType] = [accounts.forms]
    for found in pkgutil.iter_modules(campaigns.forms.__path__):
        modules.append(importlib.import_module(f"campaigns.forms.{found.name}"))
    for module in modules:
        for _name, thing in inspect.getmembers(module, inspect.isclass):
            if issubclass(thing, forms.BaseForm) and thing.__module__ == module.__name__:
                yield thing


def made(form: type[forms.BaseForm], world: World, **more: Any) -> Iterator[forms.BaseForm]:
    """The form as a page of this team makes it, told by the names of its arguments."""
    known: dict[str, Any] = {
        "team": world.team,
        "user": world.hr,
        "workbooks": Workbook.objects.filter(team=world.team),
        "workbook": world.campaign.workbook,
        "hidden": [],
        "relays": [world.campaign.relay],
        "campaign": world.campaign,
        "rights": frozenset(Right),
        "limit": 1000,
        "relay": world.campaign.relay,
        "attributes": ["部门"],
        "number": "工号",
        "comparison": None,
        "campaigns": Campaign.objects.filter(team=world.team),
        "columns": ["实发"],
        "watched": ["实发"],
    }
    # A form that builds on another takes its arguments too.
    makers = [vars(one)["__init__"] for one in form.__mro__ if "__init__" in vars(one)]
    wanted = {name for maker in makers for name in inspect.signature(maker).parameters}
    given = {name: value for name, value in known.items() if name in wanted}
    for shape in shapes(form, wanted):
        yield form(**given, **shape, **more)


def shapes(form: type[forms.BaseForm], wanted: set[str]) -> list[dict[str, Any]]:
    """What a form is made for where it has other fields for each kind of thing."""
    if form.__name__ == "AlertChannelForm":
        return [{"instance": AlertChannel(kind=kind)} for kind in ChannelKind]
    if form.__name__ == "OAuthLoginForm":
        return [{"provider": provider} for provider in OAuthProvider]
    return [{"kind": kind} for kind in Kind] if "kind" in wanted else [{}]


# Parts of others, which no page makes.
PARTS = {"ConnectionForm", "KindOfRelay"}
FORMS = [form for form in every_form() if form.__name__ not in PARTS]


def test_the_walk_sees_the_forms() -> None:
    names = {form.__name__ for form in FORMS}
    assert {"CampaignForm", "RelayForm", "MailboxForm", "KeyForm", "AddMemberForm"} <= names


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_choice_of_a_row_is_the_teams_own(form: type[forms.BaseForm]) -> None:
    world, theirs = World(), World()
    for one in made(form, world):
        for name, field in one.fields.items():
            if isinstance(field, ModelChoiceField):
                rows = list(field.queryset)
                assert all(row.team_id == world.team.pk for row in rows), (form, name)
                model = field.queryset.model
                assert model.objects.filter(team=theirs.team).exists(), "world.py has none"
                for foreign in model.objects.filter(team=theirs.team):
                    with pytest.raises(forms.ValidationError):
                        field.clean(foreign.pk)


def test_a_foreign_choice_offers_no_name() -> None:
    """A list of choices must not tell what other teams have."""
    world, theirs = World(), World()
    team = theirs.team
    for rows in (team.relays, team.bounce_mailboxes, team.contact_lists, team.templates):
        for number, row in enumerate(rows.all()):
            type(row).objects.filter(pk=row.pk).update(name=f"SECRET-NAME {number}")
    for form in FORMS:
        for one in made(form, world):
            assert "SECRET-NAME" not in str(one), form


def test_no_form_takes_a_team_or_an_owner_from_its_sender() -> None:
    """Mass assignment (ASVS 15.3.3): whose a row is, and what only a superuser decides, is never a field."""
    world = World()
    for form in FORMS:
        for one in made(form, world):
            taken = {
                "team",
                "created_by",
                "is_superuser",
                "is_staff",
                "state",
                "intranet_links_allowed",
            }
            assert not taken & one.fields.keys(), form
            if "internal_allowed" in one.fields:
                assert one.fields["internal_allowed"].disabled, form


def test_a_sender_address_is_no_markup_on_a_colleagues_page() -> None:
    """With htmx and the token that every page carries, an attribute alone would act in HR's name: the CSP
    stops scripts, not this. RFC 5321 allows the address."""
    world = World()
    world.relay(name="二")
    typed = '"<b hx-post=/x hx-trigger=load>"@corp.example'
    Relay.objects.filter(team=world.team).update(from_addresses=[typed, "@corp.example"])
    page = world.client(user=world.hr).get(
        reverse("campaigns:campaign_edit", args=[world.ids["campaign"]])
    )
    assert "&lt;b hx-post" in page.content.decode()
    assert "<b hx-post" not in page.content.decode()
