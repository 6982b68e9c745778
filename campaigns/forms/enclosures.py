"""The form that takes a zip of people's own files."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign

# Columns that usually number people, the likeliest first.
NUMBERS = ("工号", "员工编号", "人员编号", "编号", "身份证", "邮箱", "姓名")


class EnclosuresForm(forms.Form):
    """The file, the column that its names begin with, and whether the payslip's password protects them."""

    file = forms.FileField(label=_("压缩包（.zip）"), max_length=None, required=False)
    column = forms.ChoiceField(
        label=_("按哪一列匹配"),
        help_text=_("文件名就是这一列的值，或以它开头，例如 0012.pdf、0012-合同.pdf。"),
    )
    protect = forms.BooleanField(
        label=_("用工资条附件的密码加密这些文件"),
        required=False,
        help_text=_("PDF、Word、Excel 和 PowerPoint（docx、xlsx、pptx）可以；已有密码的保持不变。"),
    )

    def __init__(self, *args: Any, campaign: Campaign, limit: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.too_big, self._limit = False, limit
        names = (
            [column["name"] for column in campaign.workbook.columns] if campaign.workbook else []
        )
        column: Any = self.fields["column"]
        column.choices = [(name, name) for name in names]
        likely = (name for word in NUMBERS for name in names if word in name)
        column.initial = next(likely, names[0] if names else None)
        self.fields["file"].help_text = _("最大 %(limit)s；每个文件最大 10 MB。") % {
            "limit": filesizeformat(limit)
        }
        if not campaign.attachment:
            del self.fields["protect"]

    def clean_file(self) -> Any:
        if self.too_big:
            raise ValidationError(
                _("文件超过了 %(limit)s，没有接收。") % {"limit": filesizeformat(self._limit)}
            )
        if not self.cleaned_data["file"]:
            raise ValidationError(_("请选择一个文件。"))
        return self.cleaned_data["file"]
