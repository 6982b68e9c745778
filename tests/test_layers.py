"""The product keeps the layer rules, and each rule catches an offence (the rules: layers.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layers import OURS, layer_of, offences

ROOT = Path(__file__).parents[1]
NO_HOMES = {"utils", "util", "helpers", "helper", "common", "core", "misc", "shared"}


def sources() -> Iterator[tuple[Path, str]]:
    """Every Python file of the product and its module's name."""
    for package in OURS[:3]:
        for path in sorted((ROOT / package).rglob("*.py")):
            names = path.relative_to(ROOT).with_suffix("").parts
            yield path, ".".join(names[:-1] if names[-1] == "__init__" else names)


def test_the_product_keeps_the_layer_rules() -> None:
    found = [
        offence
        for path, module in sources()
        for offence in offences(
            path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
        )
    ]
    assert found == [], "\n".join(found)


def test_every_module_lies_in_a_layer() -> None:
    homeless = [module for _, module in sources() if module != "campaigns" and not layer_of(module)]
    assert homeless == [], "name a layer for them in LAYERS"


def test_no_file_is_a_drawer_for_anything() -> None:
    drawers = [
        module for _, module in sources() if NO_HOMES & set(module.removesuffix("_").split("."))
    ]
    assert drawers == [], "file a thing under the concept that it is about"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        # Rule 1
        ("campaigns.mailer.smtp", "from django.conf import settings"),
        ("campaigns.mailer.smtp", "import celery"),
        ("campaigns.mailer.smtp", "import redis"),
        ("campaigns.mailer.smtp", "from config import settings"),
        ("campaigns.mailer.smtp", "from campaigns.workbooks import reader"),
        ("campaigns.mailer.smtp", "from .. import workbooks"),
        ("campaigns.mailer.smtp", "from campaigns.models import Delivery"),
        ("campaigns.mailer.smtp", "def late():\n    import django"),
        ("campaigns.mailer.smtp", "if TYPE_CHECKING:\n    from accounts.models import Relay"),
        ("campaigns.mailer.smtp", "import importlib\nimportlib.import_module('django')"),
        ("campaigns.mailer.smtp", "__import__('redis')"),
        ("campaigns.mailer.smtp", "import openpyxl"),
        ("campaigns.mailer.smtp", "import time\ntime.monotonic()"),
        ("campaigns.mailer.smtp", "from time import sleep as pause\npause(1)"),
        ("campaigns.mailer.smtp", "from datetime import datetime\ndatetime.now()"),
        ("campaigns.mailer.smtp", "import secrets\nsecrets.token_hex()"),
        ("campaigns.mailer.smtp", "import socket\nsocket.create_connection(('a', 1))"),
        ("campaigns.workbooks.reader", "from campaigns.mailer import address"),
        ("campaigns.workbooks.reader", "from django.db import models"),
        ("campaigns.workbooks.reader", "import dkim"),
        # Rule 2
        ("campaigns.models.delivery", "from campaigns.pipeline import send"),
        ("campaigns.models.delivery", "from campaigns import views"),
        ("campaigns.models.delivery", "from ..tasks import tick"),
        ("campaigns.models.delivery", "from accounts.views import session"),
        ("campaigns.models.delivery", "from campaigns.workbooks import reader"),
        ("campaigns.models.delivery", "from celery import shared_task"),
        # Rule 3
        ("campaigns.pipeline.send", "from django.http import HttpRequest"),
        ("campaigns.pipeline.send", "from django import forms"),
        ("campaigns.pipeline.send", "from celery import shared_task"),
        ("campaigns.pipeline.send", "from campaigns.forms import CampaignForm"),
        ("campaigns.pipeline.send", "from campaigns.views.access import member"),
        ("campaigns.pipeline.send", "from campaigns.tasks import tick"),
        ("campaigns.pipeline.send", "from campaigns.pipeline.plan import plan"),
        ("campaigns.pipeline.send", "from . import plan"),
        ("campaigns.pipeline.clock", "from campaigns.pipeline import send"),
        # Rule 4
        ("campaigns.tasks", "from campaigns.models import Delivery"),
        ("campaigns.tasks", "from campaigns.mailer import smtp"),
        ("campaigns.tasks", "from campaigns.views import overview"),
        ("campaigns.tasks", "import openpyxl"),
        ("campaigns.management.commands.send_workbook", "from campaigns.models import Relay"),
        ("campaigns.management.commands.send_workbook", "from campaigns.mailer import smtp"),
        ("campaigns.management.commands.send_workbook", "from campaigns.tasks import tick"),
        ("campaigns.management.commands.read_bounce", "from campaigns.views import overview"),
        # Rule 5
        ("campaigns.views.workbooks", "import smtplib"),
        ("campaigns.views.workbooks", "from openpyxl import load_workbook"),
        ("campaigns.views.workbooks", "from campaigns.tasks import tick"),
        ("campaigns.views.workbooks", "from campaigns import tasks"),
        ("campaigns.views.workbooks", "from campaigns.mailer import message"),
        ("campaigns.views.workbooks", "from celery import current_app"),
        # Rule 6
        ("accounts.models.relay", "from campaigns.models import Delivery"),
        ("accounts.models.relay", "def late():\n    from campaigns.mailer import smtp"),
        ("campaigns.views.overview", "from campaigns.sandbox import smtp"),
        ("campaigns.pipeline.send", "import campaigns.sandbox"),
        ("config.urls", "from campaigns.sandbox import store"),
        ("campaigns.pipeline.send", "from tests import environment"),
    ],
)
def test_it_catches(module: str, source: str) -> None:
    assert offences(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("campaigns.mailer.smtp", "import time\ndef send(clock=time.monotonic): clock()"),
        ("campaigns.mailer.smtp", "from campaigns.mailer import reply\nfrom .reply import Reply"),
        ("campaigns.mailer.signing", "import dkim\nimport datetime, smtplib"),
        ("campaigns.workbooks.reader", "import openpyxl\nfrom campaigns.workbooks import grid"),
        ("campaigns.models.delivery", "from campaigns.mailer.reply import Outcome"),
        ("campaigns.models.delivery", "from accounts.models import Relay, Team"),
        ("campaigns.pipeline.send", "from campaigns.pipeline import ledger\nimport redis"),
        ("campaigns.pipeline.send.batch", "from campaigns.pipeline.send import render"),
        ("campaigns.tasks", "from campaigns.models.signals import work_waiting"),
        ("campaigns.tasks", "from campaigns.pipeline import send\nfrom celery import shared_task"),
        ("campaigns.management.commands.read_bounce", "from campaigns.mailer import dsn"),
        ("campaigns.management.commands.quickstart", "from campaigns.sandbox import smtp"),
        ("campaigns.views.workbooks", "from campaigns import models\nfrom campaigns import forms"),
    ],
)
def test_it_lets_pass(module: str, source: str) -> None:
    assert offences(source, module) == []
