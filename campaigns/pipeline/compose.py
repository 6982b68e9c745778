"""Compose: a delivery becomes an envelope and the octets that are sent.

Preview, test and send all come here, so that what HR sees is what the employee gets. What all
messages of a campaign share (template, skeleton, keys) is loaded once per batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import Relay, SigningKey
from campaigns.mailer.address import AddressFault, Mailbox, domain_of, parse_mailbox
from campaigns.mailer.links import Links
from campaigns.mailer.list_headers import list_headers
from campaigns.mailer.message import Message, MessageFault, Skeleton
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.signing import Algorithm, Signer, SigningFault
from campaigns.mailer.smtp_envelope import Envelope
from campaigns.mailer.template import (
    Cell,
    Rendered,
    Renderer,
    RenderError,
    TemplateFaults,
    TemplateSource,
)
from campaigns.mailer.tokens import Tokens, message_id
from campaigns.models import Campaign, Delivery, WorkbookRow
from campaigns.models.campaign import Duplicates
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose

TEST_PREFIX = "[测试] "
# Names under which a row's or contact's address and name can always be written.
ADDRESS_FIELD, NAME_FIELD = "邮箱", "姓名"


class Unsendable(Exception):
    """This delivery cannot be composed. `detail` names the cell or cause, never a cell's content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Composed:
    """What is sent: `content` is the message with its signatures, before dot-stuffing."""

    delivery: Delivery
    envelope: Envelope
    content: bytes
    rendered: Rendered


def _token_keys() -> list[bytes]:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hashlib.sha256(b"hongyan.tokens\0" + key.encode()).digest() for key in keys]


def tokens() -> Tokens:
    """Signs links and return paths; SECRET_KEY_FALLBACKS still read what they once signed."""
    return Tokens(_token_keys())


def links() -> Links:
    """Links below PUBLIC_URL."""
    return Links(settings.PUBLIC_URL, tokens())


def source_of(campaign: Campaign) -> TemplateSource:
    """The frozen content of a launched campaign, or the template as it stands for a draft."""
    if campaign.frozen_html:
        return TemplateSource(campaign.frozen_subject, campaign.frozen_html, campaign.frozen_text)
    template = campaign.template
    if template is None:
        raise Unsendable("no_template", "")
    return TemplateSource(template.subject, template.prepared_html, template.prepared_text)


class Composer:
    """Everything about one campaign that does not change from message to message."""

    def __init__(self, campaign: Campaign, relay: Relay) -> None:
        self.campaign, self.relay = campaign, relay
        self.links = links()
        self.message_id_key = _token_keys()[0]
        try:
            self.renderer = Renderer(source_of(campaign))
        except TemplateFaults as faults:
            first = faults.faults[0]
            raise Unsendable("template", f"{first.part} {first.line}:{first.column}") from faults
        try:
            sender = parse_mailbox(campaign.from_address).address
            reply_to = parse_mailbox(campaign.reply_to) if campaign.reply_to else None
            self.skeleton = Skeleton(from_=Mailbox(campaign.from_name, sender), reply_to=reply_to)
            self.domain = domain_of(sender)
            self.return_path = _return_path(relay, sender)
            self.signers = signers(campaign.team_id, self.domain)
        except (AddressFault, MessageFault) as fault:
            raise Unsendable(f"message_{fault.kind}", "From") from fault
        except SigningFault as fault:
            raise Unsendable("key_unusable", campaign.from_address.rpartition("@")[2]) from fault
        self.columns: list[dict[str, Any]] = campaign.workbook.columns if campaign.workbook else []

    def compose(self, delivery: Delivery) -> Composed:
        """Renders, builds and signs; raises Unsendable."""
        rendered = self.render(delivery)
        message = self._message(delivery, rendered)
        now = timezone.now()
        content = message.content([signer.sign(message, now=now) for signer in self.signers])
        return Composed(delivery, self._envelope(delivery, len(content)), content, rendered)

    def render(self, delivery: Delivery) -> Rendered:
        """Subject, HTML and text with this recipient's values."""
        try:
            if delivery.row_id is not None:
                values, cells = self._row_values(delivery)
            else:
                values, cells = contact_values(delivery), []
            rendered = self.renderer.render(values, rows=cells, extra=self._extra(delivery))
        except RenderError as error:
            raise Unsendable(f"render_{error.kind}", self._place(delivery, error)) from error
        except ContentDestroyed as error:
            raise Unsendable("content_destroyed", "") from error
        if delivery.purpose == DeliveryPurpose.TEST:
            return Rendered(TEST_PREFIX + rendered.subject, rendered.html, rendered.text)
        return rendered

    def _extra(self, delivery: Delivery) -> dict[str, str]:
        """The names that are no merge fields (mailer.template_source.EXTRA_NAMES)."""
        extra = {
            "name": self._recipient(delivery),
            "address": delivery.address,
            "title": self.campaign.name,
            "sender_name": self.campaign.from_name,
        }
        if not self.campaign.is_payslip:
            extra["unsubscribe_url"] = self._unsubscribe_url(delivery)
        return extra

    def _message(self, delivery: Delivery, rendered: Rendered) -> Message:
        # The same at every attempt: it is stored when the first one begins.
        delivery.message_id = delivery.message_id or message_id(
            delivery.pk or 0, self.campaign.pk or 0, self.message_id_key, self.domain
        )
        headers: list[tuple[str, str]] = []
        if not self.campaign.is_payslip:
            headers = list_headers(unsubscribe_url=self._unsubscribe_url(delivery))
        try:
            return self.skeleton.build(
                to=Mailbox(self._name(delivery), delivery.address),
                subject=rendered.subject,
                html=rendered.html,
                text=rendered.text,
                message_id=delivery.message_id,
                date=timezone.now(),
                headers=headers,
            )
        except (MessageFault, AddressFault) as error:
            raise Unsendable(f"message_{error.kind}", getattr(error, "field", "")) from error

    def _envelope(self, delivery: Delivery, size: int) -> Envelope:
        return Envelope(
            mail_from=self.return_path(self.campaign.pk or 0, delivery.pk or 0),
            rcpt_to=delivery.address,
            size=size,
            # A returned payslip should hold no more than its headers (RFC 3461 4.3).
            ret_hdrs=self.campaign.is_payslip,
            smtputf8=not delivery.address.isascii(),
        )

    def _unsubscribe_url(self, delivery: Delivery) -> str:
        return self.links.unsubscribe(self.campaign.pk or 0, delivery.pk or 0)

    def _name(self, delivery: Delivery) -> str:
        """The name in To: a test goes to somebody else than the person whose values it shows."""
        return "" if delivery.purpose == DeliveryPurpose.TEST else self._recipient(delivery)

    def _recipient(self, delivery: Delivery) -> str:
        if delivery.row is not None:
            return str(self._opened(delivery.row).get("name") or "")
        return delivery.contact.name if delivery.contact else ""

    # A workbook's row ------------------------------------------------------------------------

    def _row_values(self, delivery: Delivery) -> tuple[dict[str, str], list[Cell]]:
        """This row's values by column name, and the cells of every row that goes into the message.

        Where several rows are merged, each begins with a cell that counts them.
        """
        first = self._values(delivery.row)
        rows = [delivery.row]
        if self.campaign.duplicates == Duplicates.MERGED:
            rows = (
                list(delivery.row.workbook.rows.filter(address_key=delivery.row.address_key))
                or rows
            )
        cells: list[Cell] = []
        for number, row in enumerate(rows, 1):
            if len(rows) > 1:
                cells.append(Cell(f"第 {number} 份", f"共 {len(rows)} 份"))
            self._values(row)  # raises for a cell that cannot be read, in any of the rows
            cells += self._cells(row)
        return first, cells

    def _opened(self, row: WorkbookRow) -> dict[str, Any]:
        """The row's sealed JSON, opened once a message."""
        opened = row.__dict__.get("_opened")
        if opened is None:
            opened = row._opened = self.campaign.workbook.data_key.open_json(row.sealed)
        return opened

    def _values(self, row: WorkbookRow) -> dict[str, str]:
        opened = self._opened(row)
        unreadable = [
            self._cell(row, index) for index, value in enumerate(opened["values"]) if value is None
        ]
        if unreadable and self.campaign.is_payslip:
            raise Unsendable("unreadable_cell", ", ".join(unreadable[:5]))
        names = (column["name"] for column in self.columns)
        values = {
            name: value
            for name, value in zip(names, opened["values"], strict=False)
            if value is not None
        }
        return {ADDRESS_FIELD: row.address, NAME_FIELD: opened.get("name") or "", **values}

    def _cells(self, row: WorkbookRow) -> list[Cell]:
        """Every visible column but address and name, in the sheet's order."""
        left_out = {self.campaign.workbook.address_column, self.campaign.workbook.name_column}
        values = self._opened(row)["values"]
        return [
            Cell(column["name"], values[index] or "")
            for index, column in enumerate(self.columns)
            if index not in left_out and index < len(values)
        ]

    def _cell(self, row: WorkbookRow, index: int) -> str:
        letter = self.columns[index]["letter"] if index < len(self.columns) else "?"
        return f"{self.campaign.workbook.sheet}!{letter}{row.number}"

    def _place(self, delivery: Delivery, error: RenderError) -> str:
        """The template's part and line, and the cell if a field is missing."""
        for index, column in enumerate(self.columns):
            if column["name"] == error.field and delivery.row is not None:
                return self._cell(delivery.row, index)
        place = f"{error.part}:{error.line}" if error.line else str(error.part)
        return f"{place} {error.field}".strip() if error.field else place


def _return_path(relay: Relay, sender: str) -> Callable[[int, int], str]:
    """Signed per delivery where the relay takes one; 163 and QQ insist on the login."""
    mailbox = relay.bounce_mailbox
    if not relay.own_return_path or mailbox is None:
        return lambda _campaign, _delivery: sender
    if not mailbox.return_path_pattern:
        return lambda _campaign, _delivery: mailbox.address
    return ReturnPath(mailbox.return_path_pattern, tokens()).make


def contact_values(delivery: Delivery) -> Mapping[str, str]:
    """A contact's attributes by their names, with address and name."""
    contact = delivery.contact
    if contact is None:
        raise Unsendable("contact_gone", "")
    attributes = {name: str(value) for name, value in contact.attributes.items()}
    return {ADDRESS_FIELD: contact.address, NAME_FIELD: contact.name, **attributes}


def signers(team_id: int, domain: str) -> Sequence[Signer]:
    """The team's active keys of the from-address's domain (RSA and Ed25519 may both sign)."""
    keys = SigningKey.objects.filter(team_id=team_id, domain=domain, active=True)
    return [
        Signer(
            key.domain,
            key.selector,
            str(key.private_key),
            # Stored as a= of the signature writes it, asked for as k= of the record.
            Algorithm(key.algorithm),
        )
        for key in keys.order_by("algorithm", "pk")
    ]
