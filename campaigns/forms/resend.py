"""Sending one payslip once more, and taking all of them back: to which address, and why."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from campaigns.forms.campaign import clean_address, one_line
from campaigns.mailer.address import AddressFault, address_key


class ResendForm(forms.Form):
    """`cleaned_data["key"]` is the address as it is compared."""

    address = forms.CharField(label=_("发到"), max_length=320)
    note = forms.CharField(label=_("原因"), max_length=200, validators=[one_line])

    def clean_address(self) -> str:
        address = clean_address(self.cleaned_data["address"].strip())
        try:
            self.cleaned_data["key"] = address_key(address)
        except AddressFault as fault:
            raise ValidationError(fault.text) from None
        return address


class RecallForm(forms.Form):
    reason = forms.CharField(label=_("原因"), max_length=200, validators=[one_line])
