"""A mended file on its page: what is taken from it, and what is not and why."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

NAMED = 50

# By pipeline.repair.Verdict: severity, heading, and what can be done.
LEFT: dict[str, tuple[str, Promise]] = {
    "unclear": ("error", _("同一个人有几份，分不清是哪一份：没有取。请到原来的活动里补发。")),
    "other_name": ("error", _("工号或地址原来是另一个姓名的，那一份已经发出：没有取。请核对。")),
    "other_number": (
        "error",
        _("姓名和地址（或行号）原来是另一个工号，那一份已经发出：没有取。请核对。"),
    ),
    "twice": ("error", _("同一份在这个文件里出现了两次：只取第一次的。")),
    "lost": ("error", _("原来的内容已经销毁，无法核对谁已经收到：没有取。")),
    "doubt": ("warning", _("不确定上次有没有发到：请先在原来的活动里决定。")),
    "changed": ("warning", _("已经发过，但内容和上次不同：没有取。要改已发的，请用更正或补发。")),
    "open": ("notice", _("还在发送中：没有取。")),
    "sent": ("notice", _("已经发过，没有变化：不再发。")),
}


def repair(findings: dict[str, Any]) -> dict[str, Any] | None:
    """Counts and rows by reason; None where the file mends nothing."""
    found = findings.get("repair")
    if not found:
        return None
    groups = []
    for code, (severity, text) in LEFT.items():
        if count := found["left"].get(code, 0):
            rows = [row for row, verdict, _former in found["rows"] if verdict == code]
            named = gettext("、").join(str(row) for row in rows[:NAMED])
            groups.append(
                {
                    "severity": severity,
                    "text": text,
                    "count": count,
                    "rows": named,
                    "more": max(count - NAMED, 0),
                }
            )
    return {"taken": found["taken"], "groups": groups}
