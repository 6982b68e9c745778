"""Field groups: the parts of a long form, each with a heading (templates/components/groups.html)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django import forms

Groups = Sequence[tuple[Any, Sequence[str]]]


def grouped(
    form: forms.BaseForm, groups: Groups, *, closed: Collection[Any] = ()
) -> Iterator[dict[str, Any]]:
    """Title and bound fields in the order of the page; the `closed` titles open where something is wrong."""
    for title, names in groups:
        fields = [form[name] for name in names if name in form.fields]
        if fields:
            wrong = any(field.errors for field in fields)
            yield {"title": title, "fields": fields, "wrong": wrong, "closed": title in closed}
