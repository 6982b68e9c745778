"""Presets: data that makes sense, and whose account a quota belongs to."""

from __future__ import annotations

import pytest

from accounts.models import LimitWindow
from accounts.presets import PRESETS, preset_of, quota_group

WANTED = {"163", "126", "qq", "exmail", "aliyun", "gmail", "office365", "ses", "own", "direct"}


def test_every_provider_of_the_list_has_one():
    assert set(PRESETS) == WANTED


@pytest.mark.parametrize("code", PRESETS)
def test_a_preset_is_encrypted_limited_and_explained(code):
    preset = PRESETS[code]
    assert preset.tls_mode != "none"
    assert preset.limits
    assert set(preset.limits) <= set(LimitWindow.values)
    assert preset.notes
    ascending = [preset.limits[w] for w in LimitWindow.values if w in preset.limits]
    assert ascending == sorted(ascending)


@pytest.mark.parametrize("code", ["163", "126", "qq"])
def test_those_that_force_the_envelope_sender_say_so_and_ask_for_a_code(code):
    assert not PRESETS[code].own_return_path
    assert "授权码" in str(PRESETS[code].secret_hint)


@pytest.mark.parametrize(
    ("preset", "username", "group"),
    [
        ("exmail", "A@Example.com", "exmail/example.com"),
        ("exmail", "nobody", "smtp.x.cn/nobody"),
        ("163", "a@163.com", "smtp.x.cn/a@163.com"),
        ("", "", "smtp.x.cn/"),
    ],
)
def test_a_quota_belongs_to_an_account_or_a_whole_domain(preset, username, group):
    assert quota_group(preset, " SMTP.x.cn", username) == group


def test_a_code_that_is_no_preset_is_none():
    assert preset_of("nonsense") is None
