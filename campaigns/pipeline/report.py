"""Report: what became of every single recipient, as a workbook for HR or the marketer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

from django.utils.translation import gettext as _

from campaigns.models import Campaign, Delivery, WorkbookRow
from campaigns.models.content import ContentDestroyed
from campaigns.pipeline.delivery_words import (
    Answers,
    Reading,
    bounces_of,
    chunks,
    fixed_cells,
    last_attempts,
)
from campaigns.workbooks.export import result_csv, result_workbook

__all__ = ["Reading", "write_result"]


def write_result(
    campaign: Campaign, target: IO[bytes], reading: Reading, *, as_csv: bool = False
) -> None:
    """An .xlsx, or CSV, of every delivery but tests, in the order of the sheet.

    Without the right to the content it holds what the delivery keeps in clear: no values and no
    reply texts of a payslip. Every cell is a text, also one that looks like a formula.
    """
    columns = _columns(campaign) if reading.with_content else []
    headers = [
        *(_("行号"), _("邮箱"), _("状态"), _("时间"), _("发信账号"), _("尝试次数"), _("回复代码")),
        *(_("服务器回复"), _("原因"), _("退信")),
        *(_answer_headers() if campaign.confirm_days else ()),
    ]
    write = result_csv if as_csv else result_workbook
    write(_rows(campaign, reading, len(columns)), headers + columns, target)


def _columns(campaign: Campaign) -> list[str]:
    return [column["name"] for column in campaign.workbook.columns] if campaign.workbook else []


def _rows(campaign: Campaign, reading: Reading, width: int) -> Iterator[Sequence[object]]:
    for chunk in chunks(campaign):
        attempts, bounces = last_attempts(chunk), bounces_of(chunk, reading)
        values = _values(campaign, chunk) if width else {}
        answers = Answers(chunk, reading) if campaign.confirm_days else None
        for delivery in chunk:
            yield [
                *fixed_cells(delivery, attempts.get(delivery.pk), campaign, reading),
                bounces.get(delivery.pk, ""),
                *(answers.of(delivery) if answers else ()),
                *values.get(delivery.row_id, [""] * width),
            ]


def _answer_headers() -> list[str]:
    return [_("用途"), _("打开"), _("确认"), _("异议"), _("异议的内容")]


def _values(campaign: Campaign, chunk: list[Delivery]) -> dict[int | None, list[Any]]:
    """Each row's cells; a row whose content was destroyed has none."""
    assert campaign.workbook is not None
    key, width = campaign.workbook.data_key, len(campaign.workbook.columns)
    rows = WorkbookRow.objects.filter(pk__in=[one.row_id for one in chunk if one.row_id])
    found: dict[int | None, list[Any]] = {}
    try:
        for row in rows:
            values = [value or "" for value in key.open_json(row.sealed)["values"]]
            found[row.pk] = (values + [""] * width)[:width]
    except ContentDestroyed:
        return {}
    return found
