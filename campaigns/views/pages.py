"""Pages by key: a table is walked by its ids, so that the last page costs what the first does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest


@dataclass(frozen=True)
class KeysetPage:
    """`following` and `previous` are values of ?after= and ?before=; "" where there is no more."""

    rows: list[Any]
    previous: str
    following: str


def keyset(
    rows: QuerySet[Any], request: HttpRequest, *, size: int, descending: bool = False
) -> KeysetPage:
    """One page of the rows by their primary key; what is no key starts at the beginning."""
    after, before = _key(request.GET.get("after")), _key(request.GET.get("before"))
    back = before is not None
    edge = before if back else after
    if edge is not None:
        rows = rows.filter(**{"pk__lt" if descending != back else "pk__gt": edge})
    order = "-pk" if descending != back else "pk"
    found = list(rows.order_by(order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if back:
        found.reverse()
    has_previous, has_following = (more, True) if back else (edge is not None, more)
    return KeysetPage(
        found,
        str(found[0].pk) if found and has_previous else "",
        str(found[-1].pk) if found and has_following else "",
    )


def _key(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
