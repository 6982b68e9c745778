"""The message that a report returns: enough of its header to match it with a delivery of ours."""

from campaigns.mailer.bounces.addresses import addresses_in
from campaigns.mailer.bounces.parts import Part, read_headers
from campaigns.mailer.bounces.texts import transfer_decoded

#: Fields kept of the returned message, by lower-case name.
KEPT = (
    "message-id",
    "subject",
    "from",
    "to",
    "date",
    "return-path",
    "x-original-to",
    "delivered-to",
    "list-unsubscribe",
    "feedback-id",
    "x-hmxmroriginalrecipient",
    "x-failed-recipients",
)
_RETURNED_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
    "message/partial",
    "text/rfc822",
)
Headers = tuple[tuple[str, str], ...]


def is_returned(part: Part) -> bool:
    return part.content_type in _RETURNED_TYPES


def returned_header(part: Part, tail: str) -> Headers:
    """The returned message's fields: of the first part that holds one, or of the report's own tail."""
    for candidate in part.walk():
        if candidate is not part and is_returned(candidate):
            fields = read_headers(transfer_decoded(candidate)[:64_000])
            if fields:
                return fields
    lines = "\n".join(
        line.lstrip("> ") if line.startswith(">") else line for line in tail[:64_000].split("\n")
    )
    return read_headers(lines.encode("utf-8", "replace"))


def kept_fields(fields: Headers) -> dict[str, str]:
    """The first of each kept field, each at most 1,000 characters."""
    kept: dict[str, str] = {}
    for name, value in fields:
        if name in KEPT:
            kept.setdefault(name, value[:1000])
    return kept


def recipients_of(fields: Headers) -> list[str]:
    """To whom the returned message was addressed by its header."""
    return [address for name, value in fields if name == "to" for address in addresses_in(value)]
