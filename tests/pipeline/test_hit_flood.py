"""A link that is asked for over and over fills no disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns.mailer.hits import Request
from campaigns.pipeline import hits
from campaigns.pipeline.hits import HitBuffer, Record

MOMENT = 1_800_000_000.0


def test_it_is_remembered_so_often_in_each_span_and_others_are_not_kept_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buffer = HitBuffer()
    monkeypatch.setattr(buffer, "_start", lambda: None)
    monkeypatch.setattr(hits, "write", lambda batch: None)
    one = Record(1, 7, 1, MOMENT, Request("GET", "Firefox", "203.0.113.1", "", True))
    for number in range(50):
        buffer.add(replace(one, request=replace(one.request, address=f"203.0.113.{number}")))
    buffer.add(replace(one, link=2))
    shared = replace(one, delivery=0)
    for _ in range(300):
        buffer.add(shared)
    buffer.add(replace(shared, request=replace(shared.request, address="203.0.113.99")))
    assert buffer.flush() == 10 + 1 + 200 + 1
    buffer.add(replace(one, at=MOMENT + hits.SPAN))
    assert buffer.flush() == 1
