"""SSTI (ASVS 1.3.7): a template of a person's is no program, and a value is no template."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import reverse

from campaigns.models import MessageTemplate
from campaigns.pipeline import preview
from tests.security.world import World
from tests.views.scene import Scene

pytestmark = pytest.mark.django_db

# Django's, Jinja's and Python's ways out.
ATTACKS = [
    "{{ settings.SECRET_KEY }}",
    "{{ request.user.password }}",
    "{% debug %}",
    "{% include '/etc/passwd' %}",
    "{% include 'base.html' %}",
    "{% extends 'base.html' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% load i18n %}",
    "{% csrf_token %}",
    "{% macro x() %}{% endmacro %}",
    "{% set x = 1 %}",
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{{ range(100000000) }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ 姓名.__class__ }}",
    "{{ 姓名['__class__'] }}",
    "{{ 姓名|attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__ }}",
    "{{ config }}",
    "{{ 'x' * 1000000000 }}",
    "{{ 姓名|safe }}",
    "{{ debug() }}",
    "{{ undefined_name }}",
]
HARMLESS = ("{{ config }}", "{{ undefined_name }}", "{{ 姓名['__class__'] }}")
# What another engine would compute from a value.
VALUES = [
    "{{ 7*7 }}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "{% debug %}",
    "{{ settings.SECRET_KEY }}",
    "{{ 实发 }}",
    "%(实发)s",
    "{实发}",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_it_is_never_saved_and_never_shown(attack: str, part: str) -> None:
    scene = Scene()
    client = scene.client(user=scene.user("hr", "marketer"))
    fields = {"kind": "payslip", "name": "x", "subject": "工资条", "html": "<p>x</p>", "text": ""}
    fields[part] = f"{fields[part]} {attack}"
    saved = client.post(reverse("campaigns:template_new"), fields)
    stored = MessageTemplate.objects.filter(team=scene.team).first()
    if stored is not None:
        # A merge field that no row has may be saved (the preflight blocks it): it reaches no object.
        assert attack in HARMLESS, saved.status_code
    shown = client.post(reverse("campaigns:template_draft_preview"), fields)
    assert shown.status_code == 200
    for secret in (settings.SECRET_KEY, "root:", "<class", "mappingproxy", "csrfmiddlewaretoken"):
        assert secret not in shown.content.decode()


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_written_as_it_is(value: str) -> None:
    world = World()
    book = world.campaign.workbook
    assert book is not None
    row = book.rows[0]
    row.sealed = book.data_key.seal_json({"name": value, "values": [value, row.address, "1", "5"]})
    row.save()
    shown = preview.show(world.campaign, preview.delivery_for(world.campaign, row))
    assert value in shown.text
    assert "49" not in shown.text
    assert settings.SECRET_KEY not in shown.text


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_a_value_is_no_html(value: str) -> None:
    world = World()
    book = world.campaign.workbook
    assert book is not None
    row = book.rows[0]
    row.sealed = book.data_key.seal_json({"name": value, "values": [value, row.address, "1", "5"]})
    row.save()
    shown = preview.show(world.campaign, preview.delivery_for(world.campaign, row))
    assert value not in shown.html
    assert "&lt;" in shown.html
