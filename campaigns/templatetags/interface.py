"""Template tags of the interface: icons, state badges, progress shares, form fields, charts, times, live regions.

docs/interface.md shows how a page uses them. Nothing here reads the database.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms, template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from campaigns.models.delivery import OPEN
from campaigns.templatetags.states import DELIVERY, KINDS

register = template.Library()

SHARE_UNITS = 1000  # width of the progress drawing in its own units
SHARE_ORDER = [
    "accepted",
    "sending",
    "deferred",
    "in_doubt",
    "refused",
    "failed",
    "expired",
    "suppressed",
    "cancelled",
    "queued",
]
CHECKED_INPUTS = (forms.CheckboxInput,)
CHOICE_GROUPS = (forms.RadioSelect, forms.CheckboxSelectMultiple)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A symbol of the sprite (scripts/icons.txt), decorative: the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        css,
        static("vendor/icons/sprite.svg"),
        name,
    )


@register.inclusion_tag("components/badge.html")
def state(code: str, kind: str = "delivery") -> dict[str, object]:
    """Badge of a state with its meaning as a tooltip: {% state delivery.state %}, {% state campaign.state "campaign" %}.

    Kinds: delivery, campaign, hold, feedback (also hard, soft), suppression, check (connections).
    """
    return {"code": code, "state": KINDS[kind].get(code)}


@register.filter
def state_label(code: str, kind: str = "delivery") -> str:
    """The word alone: {{ delivery.state|state_label }}, {{ campaign.state|state_label:"campaign" }}."""
    found = KINDS[kind].get(code)
    return str(found.label) if found else code


@register.inclusion_tag("components/state_legend.html")
def state_legend(kind: str = "delivery") -> dict[str, object]:
    """A closed <details> that explains every state of a kind."""
    return {"states": KINDS[kind].values()}


@register.inclusion_tag("components/shares.html")
def shares(
    counts: Mapping[str, int], *, total: int | None = None, url: str = "", legend: bool = True
) -> dict[str, object]:
    """Stacked bar of a campaign's deliveries by state.

    `counts` maps state codes to numbers; `total` (default: their sum) may be larger while planning goes on;
    `url` is the deliveries page: the legend links each number to url?state=code.
    """
    # Leaving a state may be counted a moment before coming into it: below nothing is nothing.
    counts = {code: count for code, count in counts.items() if count > 0}
    whole = max(total or 0, sum(counts.values()))
    parts, x = [], 0.0
    for code in SHARE_ORDER:
        if not (count := counts.get(code, 0)):
            continue
        width = SHARE_UNITS * count / max(whole, 1)
        part = {"code": code, "state": DELIVERY[code], "count": count}
        parts.append(part | {"x": f"{x:.2f}", "width": f"{width:.2f}"})
        x += width
    done = sum(count for code, count in counts.items() if code not in OPEN)
    percent = 100 * done // whole if whole else 0  # rounded down: 100 only when all have an end
    return {"parts": parts, "total": whole, "percent": percent, "url": url, "legend": legend}


@register.inclusion_tag("components/field.html")
def field(
    bound: BoundField, *, stored: bool = False, placeholder: str = "", accept: str = ""
) -> dict[str, object]:
    """A form field with label, help and errors.

    `stored` marks a write-only secret that already has a value: it is never shown, and empty keeps it.
    `accept` limits the file dialog, e.g. ".xlsx".
    """
    widget = bound.field.widget
    kind = _field_kind(widget)
    attrs: dict[str, Any] = {"class": _field_css(kind, bool(bound.errors), widget)}
    if stored:
        placeholder = _("已保存；留空则不变")
        attrs["autocomplete"] = "new-password"
    attrs |= {
        key: value for key, value in (("placeholder", placeholder), ("accept", accept)) if value
    }
    if kind == "group":  # drawn one input at a time, each from the widget's own attributes
        widget.attrs["class"] = attrs["class"]
    return {"field": bound, "kind": kind, "control": bound.as_widget(attrs=attrs), "stored": stored}


def _field_kind(widget: forms.Widget) -> str:
    if widget.is_hidden:
        return "hidden"
    if isinstance(widget, CHECKED_INPUTS):
        return "check"
    if isinstance(widget, CHOICE_GROUPS):
        return "group"
    if isinstance(widget, forms.FileInput):
        return "file"
    if isinstance(widget, forms.PasswordInput):
        return "secret"
    return "select" if isinstance(widget, forms.Select) else "text"


def _field_css(kind: str, wrong: bool, widget: forms.Widget) -> str:
    base = {"check": "form-check-input", "group": "form-check-input", "select": "form-select"}
    own = widget.attrs.get("class", "")
    return " ".join(
        filter(None, (base.get(kind, "form-control"), own, "is-invalid" if wrong else ""))
    )


@register.inclusion_tag("components/fields.html")
def fields(form: forms.BaseForm) -> dict[str, object]:
    """A whole form: its general errors, then every field. The <form>, csrf_token and buttons are the page's."""
    return {"form": form}


@register.inclusion_tag("components/steps.html")
def steps(current: int, *labels: str) -> dict[str, object]:
    """Where we are: {% steps 2 _("上传") _("对应列") _("预览") _("发送") %}; counted from 1."""
    rows = [
        {"number": n, "label": label, "done": n < current, "active": n == current}
        for n, label in enumerate(labels, 1)
    ]
    return {"steps": rows, "current": current, "total": len(labels)}


@register.inclusion_tag("components/chart.html")
def chart(
    name: str, kind: str, data: Mapping[str, object], *, label: str = ""
) -> dict[str, object]:
    """A chart that charts.js draws (block scripts needs components/chart_scripts.html).

    `name` is unique on the page; `kind` is line, bar, stacked, doughnut or horizontal;
    `data` = {"labels": […], "series": [{"label": …, "values": […], "state"?: delivery state for its colour}]};
    `label` says in words what is drawn, for those who cannot see it.
    """
    return {"name": name, "kind": kind, "data": data, "label": label}


@register.simple_tag
def when(
    moment: datetime | None, *, relative: bool = True, pattern: str = "Y-m-d H:i"
) -> SafeString | str:
    """A time: absolute in the active zone, shown as "3 分钟前" by app.js with the absolute one as a tooltip."""
    if moment is None:
        return "—"
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        local.isoformat(),
        formats.date_format(local, "Y-m-d H:i:s"),
        SafeString(" data-relative") if relative else "",
        formats.date_format(local, pattern),
    )


@register.simple_tag
def live(url: str, *, every: int = 2, active: bool = True) -> SafeString:
    """Attributes of a region that replaces itself every few seconds until the server renders it with active=False.

    <section id="progress" {% live url active=campaign.is_open %}>…</section>; `url` returns that same section.
    Polling waits while the tab is hidden and says so when the connection is lost (app.js).
    """
    if not active:
        return SafeString("")
    return format_html(
        'data-live hx-get="{}" hx-trigger="every {}s, hongyan:visible from:document" hx-swap="outerHTML" hx-target="this"',
        url,
        every,
    )
