"""Every component of the interface with sample data, for those who build pages (DEBUG alone; nothing is read)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from campaigns.templatetags.states import KINDS

COUNTS = {
    "accepted": 1312,
    "sending": 4,
    "deferred": 37,
    "in_doubt": 2,
    "refused": 21,
    "failed": 3,
    "suppressed": 9,
    "queued": 612,
}


class SampleForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="名称", help_text="只有团队成员看得到。")
    port = forms.IntegerField(label="端口", min_value=1, max_value=65535)
    password = forms.CharField(label="授权码", widget=forms.PasswordInput)
    tls = forms.ChoiceField(
        label="加密方式", choices=[("a", "TLS（465）"), ("b", "STARTTLS（587）")]
    )
    when = forms.ChoiceField(
        label="发送时间",
        widget=forms.RadioSelect,
        choices=[("now", "立即发送"), ("later", "定时发送")],
        initial="now",
    )
    track = forms.BooleanField(label="统计打开次数", required=False)


class SampleUpload(forms.Form):
    """The drop zone."""

    file = forms.FileField(label="工资表", help_text="支持 .xlsx，最大 30 MB。")


def gallery(request: HttpRequest) -> HttpResponse:
    """The page of all components."""
    return render(request, "components/gallery.html", sample_context())


def sample_context() -> dict[str, Any]:
    """What the gallery shows."""
    now = timezone.now()
    chips = [
        {"value": code, "label": KINDS["delivery"][code].label, "count": n}
        for code, n in COUNTS.items()
    ]
    rows = [
        {
            "name": name,
            "email": f"{mail}@example.com",
            "state": state,
            "at": now - timedelta(minutes=n * 17),
        }
        for n, (name, mail, state) in enumerate(SAMPLE_ROWS)
    ]
    days = [f"{day} 日" for day in range(1, 8)]
    return {
        "counts": COUNTS,
        "kinds": {kind: list(states) for kind, states in KINDS.items()},
        "chips": chips,
        "rows": rows,
        "problems": SAMPLE_PROBLEMS,
        "form": SampleForm({"name": "", "port": "70000", "when": "later"}),
        "upload": SampleUpload(),
        "sending": {
            "labels": days,
            "series": [
                {"label": "已提交", "state": "accepted", "values": [120, 240, 90, 400, 310, 20, 0]},
                {"label": "稍后重试", "state": "deferred", "values": [3, 12, 4, 40, 12, 1, 0]},
                {"label": "被拒", "state": "refused", "values": [2, 5, 1, 9, 4, 0, 0]},
            ],
        },
        "domains": {
            "labels": ["qq.com", "163.com", "gmail.com"],
            "series": [{"label": "收件人", "values": [820, 410, 96]}],
        },
    }


SAMPLE_ROWS = [
    ("王小明", "wang", "accepted"),
    ("李晓红", "li", "deferred"),
    ("欧阳志远", "ouyang", "in_doubt"),
    ("张伟", "zhang", "refused"),
]
SAMPLE_PROBLEMS = [
    {
        "severity": "error",
        "place": "11月工资 · 第 18 行 · E 列",
        "text": "“zhang@@example.com” 不是邮箱地址。",
        "hint": "请在 Excel 里改正后重新上传。",
    },
    {
        "severity": "warning",
        "place": "11月工资 · 第 42 行 · E 列",
        "text": "“li@qq.con” 可能是 qq.com。",
        "url": "#problems",
    },
    {"severity": "notice", "text": "第 1 行是标题，第 2–3 行是表头。"},
]
