"""Compose: a delivery becomes an envelope and the octets that are sent.

Preview, test and send all come here, so that what HR sees is what the employee gets. What all
messages of a campaign share (template, skeleton, keys) is loaded once per batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone

from accounts.models import Relay, SigningKey
from campaigns.mailer.address import AddressFault, Mailbox, domain_of, parse_mailbox
from campaigns.mailer.attachment import Attachment, AttachmentFault
from campaigns.mailer.links import Links
from campaigns.mailer.list_headers import list_headers
from campaigns.mailer.message import Message, MessageFault, Skeleton
from campaigns.mailer.return_path import ReturnPath
from campaigns.mailer.signing import Algorithm, Signer, SigningFault
from campaigns.mailer.smtp_envelope import Envelope
from campaigns.mailer.template import (
    Rendered,
    Renderer,
    RenderError,
    TemplateFaults,
    TemplateSource,
)
from campaigns.mailer.tokens import Tokens, message_id
from campaigns.mailer.tracked_links import TrackedLinks
from campaigns.models import Campaign, Delivery, SubscribeForm
from campaigns.models.content import ContentDestroyed
from campaigns.models.delivery import DeliveryPurpose
from campaigns.pipeline.attach import LARGEST, Attacher, hint_of
from campaigns.pipeline.enclose import encloser_of
from campaigns.pipeline.layouts import drawn_of
from campaigns.pipeline.sheet_rows import ADDRESS_FIELD, NAME_FIELD, SheetRows, Unsendable
from campaigns.pipeline.subscription import MAIL_PURPOSE
from campaigns.pipeline.tracked import tracker_of

__all__ = ["ADDRESS_FIELD", "NAME_FIELD", "Composed", "Composer", "Unsendable"]

# What stands before the subject of a message that is not the campaign's own.
PREFIXES = {DeliveryPurpose.TEST: "[测试] ", DeliveryPurpose.REMINDER: "[提醒] "}


@dataclass(slots=True)
class Draft:
    """A message that nobody has signed yet."""

    delivery: Delivery
    message: Message
    rendered: Rendered
    files: Sequence[Attachment]


@dataclass(slots=True)
class Composed:
    """What is sent: `content` is the message with its signatures, before dot-stuffing; `armour` as in Message."""

    delivery: Delivery
    envelope: Envelope
    content: bytes
    armour: int
    rendered: Rendered
    files: Sequence[Attachment] = ()


def _token_keys() -> list[bytes]:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [hashlib.sha256(b"hongyan.tokens\0" + key.encode()).digest() for key in keys]


def tokens() -> Tokens:
    """Signs links and return paths; SECRET_KEY_FALLBACKS still read what they once signed."""
    return Tokens(_token_keys())


def links() -> Links:
    """Links below PUBLIC_URL."""
    return Links(settings.PUBLIC_URL, tokens())


def tracked_links() -> TrackedLinks:
    """A newsletter's counted links below PUBLIC_URL."""
    return TrackedLinks(settings.PUBLIC_URL, tokens())


def source_of(campaign: Campaign) -> TemplateSource:
    """The frozen content of a launched campaign; for a draft the template as it stands, or what its layout makes."""
    if campaign.frozen_html:
        return TemplateSource(campaign.frozen_subject, campaign.frozen_html, campaign.frozen_text)
    template, drawn = campaign.template, drawn_of(campaign)
    if template is not None:
        source = TemplateSource(template.subject, template.prepared_html, template.prepared_text)
    elif drawn is not None:
        source = drawn.source()
    else:
        raise Unsendable("no_template", "")
    return replace(source, subject=campaign.subject) if campaign.subject else source


class Composer:
    """Everything about one campaign that does not change from message to message.

    What is only `shown` on a page has the links' own targets in place of counted ones.
    """

    def __init__(self, campaign: Campaign, relay: Relay, *, shown: bool = False) -> None:
        self.campaign, self.relay = campaign, relay
        self._campaign_id = campaign.pk or 0
        self.links = links()
        self._unsubscribe: tuple[Delivery | None, str] = None, ""
        self.consent = _consent(campaign)
        self.message_id_key = _token_keys()[0]
        self.tracker = tracker_of(campaign, tracked_links(), shown=shown)
        mark = self.tracker.marks.mark if self.tracker else None
        try:
            self.renderer = Renderer(source_of(campaign), mark=mark)
        except TemplateFaults as faults:
            first = faults.faults[0]
            raise Unsendable("template", f"{first.part} {first.line}:{first.column}") from faults
        try:
            sender = parse_mailbox(campaign.from_address).address
            reply_to = parse_mailbox(campaign.reply_to) if campaign.reply_to else None
            self.skeleton = Skeleton(from_=Mailbox(campaign.from_name, sender), reply_to=reply_to)
            self.domain = domain_of(sender)
            self.return_path = _return_path(relay, sender)
            self.unsubscribe_address = _unsubscribe_address(relay)
            self.signers = signers(campaign.team_id, self.domain)
        except (AddressFault, MessageFault) as fault:
            raise Unsendable(f"message_{fault.kind}", "From") from fault
        except SigningFault as fault:
            raise Unsendable("key_unusable", campaign.from_address.rpartition("@")[2]) from fault
        self.rows = SheetRows(campaign) if campaign.workbook else None
        self.attacher = Attacher(campaign, self.rows) if campaign.attachment and self.rows else None
        self.encloser = encloser_of(campaign, self.rows) if self.rows else None
        self._shared = self._same_for_all()

    def compose(self, delivery: Delivery) -> Composed:
        """Renders, builds and signs; raises Unsendable."""
        return self.sign(self.draft(delivery))

    def draft(self, delivery: Delivery) -> Draft:
        """Renders and builds; raises Unsendable."""
        rendered = self.render(delivery)
        files = self.files(delivery)
        return Draft(delivery, self._message(delivery, rendered, files), rendered, files)

    def sign(self, draft: Draft) -> Composed:
        """The message with its signatures, in its envelope."""
        delivery, message, now = draft.delivery, draft.message, timezone.now()
        content = message.content([signer.sign(message, now=now) for signer in self.signers])
        envelope = self._envelope(delivery, content)
        return Composed(delivery, envelope, content, message.armour, draft.rendered, draft.files)

    def files(self, delivery: Delivery) -> list[Attachment]:
        """The payslip as a file, where the campaign sends one, and its person's own; raises Unsendable."""
        if delivery.row_id is None or not (self.attacher or self.encloser):
            return []
        try:
            files = self.attacher.files(delivery) if self.attacher else []
            files += self._enclosures(delivery)
        except ContentDestroyed as error:
            raise Unsendable("content_destroyed", "") from error
        except AttachmentFault as error:
            raise Unsendable("message_attachment", "") from error
        if sum(len(file.data) for file in files) > LARGEST:
            raise Unsendable("attachment_too_large", "")
        return files

    def _enclosures(self, delivery: Delivery) -> list[Attachment]:
        """Each row's own files, under that row's password where the archive says so."""
        encloser, attacher = self.encloser, self.attacher
        if encloser is None or self.rows is None:
            return []
        protect = attacher if encloser.archive.protect else None
        return [
            file
            for row in self.rows.of(delivery)
            for file in encloser.files(row, protect.password(row) if protect else None)
        ]

    def render(self, delivery: Delivery, *, linked: bool = True) -> Rendered:
        """Subject, HTML and text with this recipient's values; on the slip's own page not `linked` to it."""
        try:
            if delivery.row_id is not None and self.rows is not None:
                values = self.rows.values(delivery.row)
                # What an encrypted file protects does not stand beside it in clear.
                cells = [] if self.attacher else self.rows.table(delivery)
            else:
                values, cells = self._values(delivery), []
            extra = self._extra(delivery)
            if linked and self.campaign.confirm_days:
                extra["confirm_url"] = self.links.slip(*self._ids(delivery))
            rendered = self.renderer.render(values, rows=cells, extra=extra)
        except RenderError as error:
            raise Unsendable(f"render_{error.kind}", self._place(delivery, error)) from error
        except ContentDestroyed as error:
            raise Unsendable("content_destroyed", "") from error
        if self.tracker is not None:
            rendered = self.tracker.finished(rendered, delivery)
        if prefix := PREFIXES.get(delivery.purpose):
            return Rendered(prefix + rendered.subject, rendered.html, rendered.text)
        return rendered

    def _same_for_all(self) -> dict[str, str]:
        """What `_extra` says to everybody."""
        campaign = self.campaign
        extra = {
            "title": campaign.name,
            "sender_name": campaign.from_name,
            "password_hint": hint_of(campaign),
        }
        if campaign.corrects is not None:
            extra["correction"] = corrected(campaign.corrects)
        if self.rows is not None and self.rows.drawn is not None:
            extra["note"] = self.rows.drawn.layout.note
        if self.consent is not None:
            extra["note"] = self.consent
        return extra

    def _extra(self, delivery: Delivery) -> dict[str, str]:
        """The names that are no merge fields (mailer.template_source.EXTRA_NAMES)."""
        extra = self._shared | {
            "name": self._recipient(delivery),
            "address": delivery.address,
        }
        if not self.campaign.is_payslip:
            extra["unsubscribe_url"] = self._unsubscribe_url(delivery)
        if self.consent is not None:
            extra["confirm_url"] = self.links.confirm(*self._ids(delivery))
        return extra

    def _values(self, delivery: Delivery) -> Mapping[str, str]:
        """Who is asked to confirm a subscription is no contact yet."""
        if self.consent is not None and delivery.contact is None:
            return {ADDRESS_FIELD: delivery.address, NAME_FIELD: ""}
        return contact_values(delivery)

    def _message(
        self, delivery: Delivery, rendered: Rendered, files: Sequence[Attachment]
    ) -> Message:
        campaign_id, delivery_id = self._ids(delivery)
        # The same at every attempt: it is stored when the first one begins.
        delivery.message_id = delivery.message_id or message_id(
            delivery_id, campaign_id, self.message_id_key, self.domain
        )
        headers = self._reference(delivery)
        if not self.campaign.is_payslip:
            headers = list_headers(
                unsubscribe_url=self._unsubscribe_url(delivery),
                unsubscribe_address=self.unsubscribe_address(campaign_id, delivery_id),
            )
        try:
            return self.skeleton.build(
                to=Mailbox(self._name(delivery), delivery.address),
                subject=rendered.subject,
                html=rendered.html,
                text=rendered.text,
                message_id=delivery.message_id,
                date=timezone.now(),
                headers=headers,
                attachments=files,
                pictures=self.rows.drawn.pictures(rendered.html)
                if self.rows is not None and self.rows.drawn is not None
                else (),
            )
        except (MessageFault, AddressFault) as error:
            raise Unsendable(f"message_{error.kind}", getattr(error, "field", "")) from error

    def _reference(self, delivery: Delivery) -> list[tuple[str, str]]:
        """A correction stands in the reader's mailbox below what it corrects (RFC 5322 3.6.4)."""
        if self.campaign.corrects_id is None or delivery.purpose == DeliveryPurpose.TEST:
            return []
        earlier = Delivery.objects.filter(
            campaign=self.campaign.corrects_id, address_key=delivery.address_key
        ).exclude(purpose=DeliveryPurpose.TEST)
        known = earlier.exclude(message_id="").order_by("pk").values_list("message_id", flat=True)
        first = known.first()
        return [("In-Reply-To", first), ("References", first)] if first else []

    def _envelope(self, delivery: Delivery, content: bytes) -> Envelope:
        return Envelope(
            mail_from=self.return_path(*self._ids(delivery)),
            rcpt_to=delivery.address,
            size=len(content),
            # A returned payslip should hold no more than its headers (RFC 3461 4.3).
            ret_hdrs=self.campaign.is_payslip,
            smtputf8=not delivery.address.isascii(),
            # Bodies are always encoded; such an address stands in To as it is (RFC 6532).
            eight_bit=not content.isascii(),
        )

    def _ids(self, delivery: Delivery) -> tuple[int, int]:
        """What its tokens hold; a preview's has no id yet."""
        return self._campaign_id, delivery.pk or 0

    def _unsubscribe_url(self, delivery: Delivery) -> str:
        """Asked for by the text and by the header."""
        known, url = self._unsubscribe
        if known is not delivery:
            url = self.links.unsubscribe(*self._ids(delivery))
            self._unsubscribe = delivery, url
        return url

    def _name(self, delivery: Delivery) -> str:
        """The name in To: a test goes to somebody else than the person whose values it shows."""
        return "" if delivery.purpose == DeliveryPurpose.TEST else self._recipient(delivery)

    def _recipient(self, delivery: Delivery) -> str:
        if delivery.row is not None and self.rows is not None:
            return self.rows.name(delivery.row)
        return delivery.contact.name if delivery.contact else ""

    def _place(self, delivery: Delivery, error: RenderError) -> str:
        """The template's part and line, and the cell if a field is missing."""
        if self.rows is not None and delivery.row is not None:
            index = self.rows.index(error.field)
            if index is not None:
                return self.rows.place(delivery.row, index)
        place = f"{error.part}:{error.line}" if error.line else str(error.part)
        return f"{place} {error.field}".strip() if error.field else place


def _consent(campaign: Campaign) -> str | None:
    """What is agreed to, where the campaign is the standing one of a list's public form."""
    if campaign.is_payslip or campaign.contact_list_id or campaign.pk is None:
        return None
    texts = SubscribeForm.objects.filter(campaign=campaign).values_list("text", flat=True)
    return texts.first()


def _return_path(relay: Relay, sender: str) -> Callable[[int, int], str]:
    """Signed per delivery where the relay takes one; 163 and QQ insist on the login."""
    mailbox = relay.bounce_mailbox
    if not relay.own_return_path or mailbox is None:
        return lambda _campaign, _delivery: sender
    if not mailbox.return_path_pattern:
        return lambda _campaign, _delivery: mailbox.address
    return ReturnPath(mailbox.return_path_pattern, tokens()).make


def _unsubscribe_address(relay: Relay) -> Callable[[int, int], str]:
    """Where a mail unsubscribes: the bounce mailbox, if it takes signed addresses and is read."""
    mailbox = relay.bounce_mailbox
    if mailbox is None or not mailbox.enabled or not mailbox.return_path_pattern:
        return lambda _campaign, _delivery: ""
    return ReturnPath(mailbox.return_path_pattern, tokens(), purpose=MAIL_PURPOSE).make


def corrected(earlier: Campaign) -> str:
    """How a correction names what it replaces: “十一月工资条”（2026-11-24）."""
    day = timezone.localdate(earlier.launched_at, earlier.team.zone) if earlier.launched_at else ""
    return f"“{earlier.name}”（{day}）" if day else f"“{earlier.name}”"


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
