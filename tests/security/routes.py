"""Every address of the site, said by hand: whom it is for and whose row its id names.

The tests of this folder walk Django's resolver and hold each route against these tables; a route that
is in none of them makes them fail, so that nobody adds a page without deciding who may open it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Right, Role
from accounts.models.team import RIGHTS

# Without an account. A token in the address proves what it has to (test_tokens.py).
PUBLIC = frozenset(
    {
        "healthz",
        "set_language",
        "accounts:sign_in",
        "accounts:sign_out",
        "accounts:language",
        "campaigns:hook",
        "campaigns:tracked",
        "campaigns:unsubscribe",
        "campaigns:unsubscribe_leave",
        "campaigns:unsubscribe_undo",
        "campaigns:preferences",
        "campaigns:subscribe_join",
        "campaigns:subscribe_confirm",
        "campaigns:slip",
        "campaigns:slip_content",
        "campaigns:slip_open",
        "campaigns:slip_confirm",
        "campaigns:slip_dispute",
    }
)
# About oneself: whoever is signed in, also without a team.
SELF = frozenset({"accounts:account", "accounts:change_password", "accounts:choose_team"})

SEE, RELAYS, MEMBERS = {Right.SEE}, {Right.RELAYS}, {Right.MEMBERS}
WRITING = {Right.PAYSLIPS, Right.NEWSLETTERS}
MANAGING_CHANNELS = {Right.MEMBERS, Right.RELAYS}
# The objects of World are a payslip campaign and its template, so acting on them takes this right.
PAYSLIPS, LETTERS = {Right.PAYSLIPS}, {Right.NEWSLETTERS}

# Where an id names another kind of row than the one that its route begins with.
OTHERWISE = {
    ("campaigns:campaign_tracking", "pk"): "tracked",
    ("campaigns:campaign_tracking_rows", "pk"): "tracked",
    ("campaigns:list_import", "pk"): "workbook",
    ("campaigns:enclosures", "pk"): "campaign",
    ("campaigns:comparison_card", "pk"): "campaign",
    ("campaigns:comparison_ask", "pk"): "campaign",
    ("campaigns:enclosures_progress", "pk"): "campaign",
    ("campaigns:enclosures_remove", "pk"): "campaign",
    ("campaigns:webhook_make", "pk"): "relay",
    ("campaigns:webhook_remove", "pk"): "relay",
    ("campaigns:relay_lift", "park_pk"): "park",
    ("campaigns:list_member", "member_pk"): "membership",
    ("campaigns:campaign_stop_lift", "stop_pk"): "stop",
}

# One of these rights opens the page (of a payslip, where it is a campaign's or a template's).
NEEDS: dict[str, set[Right]] = {
    "accounts:members": MEMBERS,
    "accounts:team_settings": MEMBERS,
    "accounts:member_add": MEMBERS,
    "accounts:member_roles": MEMBERS,
    "accounts:member_remove": MEMBERS,
    "campaigns:overview": SEE,
    "campaigns:search": SEE,
    "campaigns:overview_live": SEE,
    "campaigns:campaigns": SEE,
    "campaigns:campaign_new": WRITING,
    "campaigns:campaign": SEE,
    "campaigns:campaign_edit": PAYSLIPS,
    "campaigns:campaign_progress": SEE,
    "campaigns:campaign_preflight": PAYSLIPS,
    "campaigns:campaign_lint": PAYSLIPS,
    "campaigns:enclosures": PAYSLIPS,
    "campaigns:enclosures_progress": PAYSLIPS,
    "campaigns:enclosures_remove": PAYSLIPS,
    "campaigns:campaign_tests": PAYSLIPS,
    # Whoever has a grant, whatever his role: World's people without a right have none.
    "campaigns:campaign_preview": PAYSLIPS,
    "campaigns:campaign_preview_html": PAYSLIPS,
    "campaigns:campaign_preview_search": PAYSLIPS,
    "campaigns:campaign_preview_column": PAYSLIPS,
    "campaigns:campaign_comparison": PAYSLIPS,
    "campaigns:comparison_card": PAYSLIPS,
    "campaigns:comparison_ask": PAYSLIPS,
    "campaigns:campaign_preview_file": PAYSLIPS,
    "campaigns:campaign_test": PAYSLIPS,
    "campaigns:campaign_launch": PAYSLIPS,
    "campaigns:campaign_hours": PAYSLIPS,
    "campaigns:campaign_hours_delete": PAYSLIPS,
    "campaigns:campaign_pause": PAYSLIPS,
    "campaigns:campaign_resume": PAYSLIPS,
    "campaigns:campaign_cancel": PAYSLIPS,
    "campaigns:campaign_unschedule": PAYSLIPS,
    "campaigns:campaign_send_anyway": PAYSLIPS,
    "campaigns:campaign_resolve": PAYSLIPS,
    "campaigns:campaign_remind": PAYSLIPS,
    "campaigns:campaign_release": PAYSLIPS,
    "campaigns:campaign_grant": PAYSLIPS,
    "campaigns:campaign_revoke": PAYSLIPS,
    "campaigns:campaign_recall": PAYSLIPS,
    "campaigns:campaign_retry": PAYSLIPS,
    "campaigns:campaign_stop_lift": PAYSLIPS,
    "campaigns:restored": MEMBERS,
    "campaigns:restored_switch_on": MEMBERS,
    "campaigns:campaign_result": SEE,
    # Whoever has a grant, as with the preview.
    "campaigns:campaign_workbook": PAYSLIPS,
    "campaigns:campaign_workbook_make": PAYSLIPS,
    "campaigns:campaign_workbook_file": PAYSLIPS,
    "campaigns:campaign_tracking": LETTERS,
    "campaigns:campaign_tracking_rows": LETTERS,
    "campaigns:campaign_deliveries": SEE,
    "campaigns:deliveries": SEE,
    "campaigns:delivery": SEE,
    "campaigns:delivery_resolve": PAYSLIPS,
    "campaigns:delivery_resend": PAYSLIPS,
    "campaigns:workbooks": WRITING,
    "campaigns:workbook_upload": WRITING,
    "campaigns:workbook": WRITING,
    "campaigns:workbook_progress": WRITING,
    "campaigns:workbook_choose": PAYSLIPS,
    "campaigns:workbook_unlock": PAYSLIPS,
    "campaigns:workbook_mark": PAYSLIPS,
    "campaigns:workbook_match": PAYSLIPS,
    "campaigns:workbook_confirm": PAYSLIPS,
    "campaigns:workbook_rows": PAYSLIPS,
    "campaigns:workbook_totals": PAYSLIPS,
    "campaigns:workbook_delete": PAYSLIPS,
    "campaigns:list_import": LETTERS,
    "campaigns:lists": LETTERS,
    "campaigns:list_new": LETTERS,
    "campaigns:list": LETTERS,
    "campaigns:list_edit": LETTERS,
    "campaigns:list_form": LETTERS,
    "campaigns:list_member": LETTERS,
    "campaigns:contacts": LETTERS,
    "campaigns:contact_new": LETTERS,
    "campaigns:contact": LETTERS,
    "campaigns:contact_export": LETTERS,
    "campaigns:contact_erase": LETTERS,
    "campaigns:contact_delete": LETTERS,
    "campaigns:workbook_next": PAYSLIPS,
    "campaigns:layouts": PAYSLIPS,
    "campaigns:layout_new": PAYSLIPS,
    "campaigns:layout": PAYSLIPS,
    "campaigns:layout_preview": PAYSLIPS,
    "campaigns:layout_logo": PAYSLIPS,
    "campaigns:layout_delete": PAYSLIPS,
    "campaigns:templates": WRITING,
    "campaigns:template_new": WRITING,
    "campaigns:template_fields": WRITING,
    "campaigns:template_draft_preview": WRITING,
    "campaigns:template": PAYSLIPS,
    "campaigns:template_preview": PAYSLIPS,
    "campaigns:template_delete": PAYSLIPS,
    "campaigns:keys_rotate": RELAYS,
    "campaigns:key_look": RELAYS,
    "campaigns:key_progress": RELAYS,
    "campaigns:oauth_logins": RELAYS,
    "campaigns:oauth_login_new": RELAYS,
    "campaigns:oauth_callback": RELAYS,
    "campaigns:oauth_login": RELAYS,
    "campaigns:oauth_login_live": RELAYS,
    "campaigns:oauth_login_fetch": RELAYS,
    "campaigns:oauth_login_delete": RELAYS,
    "campaigns:relays": RELAYS,
    "campaigns:relay_new": RELAYS,
    "campaigns:relay": RELAYS,
    "campaigns:relay_probe": RELAYS,
    "campaigns:relay_enable": RELAYS,
    "campaigns:relay_disable": RELAYS,
    "campaigns:relay_unpark": RELAYS,
    "campaigns:webhook_make": RELAYS,
    "campaigns:webhook_remove": RELAYS,
    "campaigns:relay_copies_settled": RELAYS | {Right.PAYSLIPS},
    "campaigns:relay_delete": RELAYS,
    "campaigns:relay_warm_up": RELAYS,
    "campaigns:relay_warm_up_end": RELAYS,
    "campaigns:relay_park": RELAYS,
    "campaigns:relay_lift": RELAYS,
    "campaigns:limits": RELAYS,
    "campaigns:limit_new": RELAYS,
    "campaigns:limit": RELAYS,
    "campaigns:limit_delete": RELAYS,
    "campaigns:hours": RELAYS,
    "campaigns:hours_delete": RELAYS,
    "campaigns:alerts": SEE,
    "campaigns:channels": MANAGING_CHANNELS,
    "campaigns:channel_new": MANAGING_CHANNELS,
    "campaigns:channel": MANAGING_CHANNELS,
    "campaigns:channel_test": MANAGING_CHANNELS,
    "campaigns:channel_result": MANAGING_CHANNELS,
    "campaigns:channel_enable": MANAGING_CHANNELS,
    "campaigns:channel_disable": MANAGING_CHANNELS,
    "campaigns:channel_delete": MANAGING_CHANNELS,
    "campaigns:relay_rules": RELAYS,
    "campaigns:relay_rule_new": RELAYS,
    "campaigns:relay_shipped": RELAYS,
    "campaigns:relay_caught": RELAYS,
    "campaigns:rule": RELAYS,
    "campaigns:rule_enable": RELAYS,
    "campaigns:rule_disable": RELAYS,
    "campaigns:rule_delete": RELAYS,
    "campaigns:probe": RELAYS,
    "campaigns:mailboxes": RELAYS,
    "campaigns:mailbox_new": RELAYS,
    "campaigns:mailbox": RELAYS,
    "campaigns:mailbox_probe": RELAYS,
    "campaigns:mailbox_enable": RELAYS,
    "campaigns:mailbox_disable": RELAYS,
    "campaigns:mailbox_delete": RELAYS,
    "campaigns:unrecognised": RELAYS | PAYSLIPS,
    "campaigns:original": RELAYS | PAYSLIPS,
    "campaigns:phrases": RELAYS,
    "campaigns:phrase_new": RELAYS,
    "campaigns:phrase": RELAYS,
    "campaigns:phrase_apply": RELAYS,
    "campaigns:phrase_enable": RELAYS,
    "campaigns:phrase_disable": RELAYS,
    "campaigns:phrase_delete": RELAYS,
    "campaigns:keys": RELAYS,
    "campaigns:key_new": RELAYS,
    "campaigns:key": RELAYS,
    "campaigns:key_enable": RELAYS,
    "campaigns:key_disable": RELAYS,
    "campaigns:key_delete": RELAYS,
    "campaigns:domains": RELAYS,
    "campaigns:domains_live": RELAYS,
    "campaigns:domains_recheck": RELAYS,
    "campaigns:domain": RELAYS,
    "campaigns:domain_live": RELAYS,
    "campaigns:domain_recheck": RELAYS,
    "campaigns:domain_seen": RELAYS,
    "campaigns:suppressions": SEE,
    "campaigns:suppression_import": LETTERS,
    "campaigns:suppression_imports": LETTERS,
    "campaigns:suppression_new": RELAYS | {Right.NEWSLETTERS},
    "campaigns:held_suppressions": SEE,
    "campaigns:held_decide": RELAYS | {Right.NEWSLETTERS},
    "campaigns:suppression_delete": RELAYS | {Right.NEWSLETTERS},
}


@dataclass(frozen=True)
class Route:
    """`ids`: the names of its integer arguments; `tokens`: of those that prove themselves."""

    name: str
    ids: tuple[str, ...]
    tokens: tuple[str, ...]

    def url(self, **ids: int) -> str:
        """Its address; a token is one that nobody made."""
        given: dict[str, object] = dict.fromkeys(self.ids, 1)
        return reverse(self.name, kwargs=given | ids | dict.fromkeys(self.tokens, "nobodys"))

    @property
    def things(self) -> dict[str, str]:
        """The kind of row that each id names: `campaigns:relay_probe` is about a relay."""
        first = self.name.partition(":")[2].partition("_")[0]
        return {name: OTHERWISE.get((self.name, name), first) for name in self.ids}

    def about(self, rows: Mapping[str, int]) -> str:
        """Its address with those rows' ids; a KeyError where world.py has no row of a kind."""
        return self.url(**{name: rows[thing] for name, thing in self.things.items()})


def routes() -> list[Route]:
    """Every route of config.urls."""
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[URLPattern | URLResolver], space: str) -> Iterator[Route]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, inner)
            continue
        converters = pattern.pattern.converters
        ids = tuple(name for name, to in converters.items() if type(to).__name__ == "IntConverter")
        name = pattern.name or str(pattern.pattern)
        yield Route(f"{space}{name}", ids, tuple(set(converters) - set(ids)))


def guarded() -> list[Route]:
    """Those that ask for a right."""
    return [route for route in routes() if route.name not in PUBLIC | SELF]


def outsiders(route: Route) -> list[Role]:
    """The roles that may not open it."""
    return [role for role in Role if not RIGHTS[role] & NEEDS.get(route.name, set())]
