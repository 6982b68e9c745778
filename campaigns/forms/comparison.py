"""The form of a comparison: with which campaign, from what change on, and of which columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Comparison


class ComparisonForm(forms.Form):
    """`against` offers what the user may read; `columns` the amounts that both months have."""

    against = forms.ModelChoiceField(
        label=_("与哪次比较"),
        queryset=Campaign.objects.none(),
        required=False,
        empty_label=_("自动：上一次表头相近的"),
    )
    share = forms.IntegerField(
        label=_("变动超过（%）"),
        min_value=1,
        max_value=1000,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    columns = forms.MultipleChoiceField(
        label=_("看哪些列的变动"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        *args: Any,
        comparison: Comparison | None,
        campaigns: Sequence[Campaign] | Any,
        columns: Sequence[str],
        watched: Sequence[str],
        **kwargs: Any,
    ) -> None:
        initial: dict[str, Any] = {"share": 20, "columns": list(watched)}
        if comparison is not None:
            initial["share"] = comparison.share
            initial["against"] = comparison.against_id if comparison.is_chosen else None
        super().__init__(*args, initial=initial, **kwargs)
        against, chosen = self.fields["against"], self.fields["columns"]
        assert isinstance(against, forms.ModelChoiceField)
        assert isinstance(chosen, forms.MultipleChoiceField)
        against.queryset = campaigns
        chosen.choices = [(name, name) for name in columns]
        if not columns:
            del self.fields["columns"]
