"""Header fields of a mailing list: List-Unsubscribe (RFC 2369), one click (RFC 8058), List-Id (RFC 2919).

For newsletters alone: a payslip has none of them.
"""

import re

from campaigns.mailer.encoded_words import phrase

_HTTP = re.compile(r"https?://[!-~]{1,800}")
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_SPECIAL = re.compile(r"[^A-Za-z0-9@._+~-]")
_LIST_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
#: They would end the address inside its angle brackets, or the field's list.
_ENDINGS = re.compile(r"[<>,\s]")


def list_headers(
    *, unsubscribe_url: str, unsubscribe_address: str = "", list_id: str = "", list_name: str = ""
) -> list[tuple[str, str]]:
    """The fields for one recipient, in ASCII and ready for `Skeleton.build(headers=…)`.

    List-Unsubscribe-Post is offered only with https (RFC 8058 section 3.1). `unsubscribe_address` is a mailbox of
    ours with a token, `list_id` the list's name as a domain. Raises ValueError, or `HeaderFault` for the list's name.
    """
    if not _HTTP.fullmatch(unsubscribe_url) or _ENDINGS.search(unsubscribe_url):
        raise ValueError("List-Unsubscribe needs an http(s) address")
    ways = [f"<{unsubscribe_url}>"]
    if unsubscribe_address:
        ways.append(f"<mailto:{_mailto(unsubscribe_address)}?subject=unsubscribe>")
    fields = [("List-Unsubscribe", ", ".join(ways))]
    if unsubscribe_url.startswith("https://"):
        fields.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    if list_id:
        fields.append(("List-Id", _list_id(list_id, list_name)))
    return fields


def _mailto(address: str) -> str:
    """RFC 6068 section 2: what has a meaning in a URL is percent-encoded."""
    if not _MAILBOX.fullmatch(address):
        raise ValueError("List-Unsubscribe needs a plain mailbox")
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", address)


def _list_id(list_id: str, list_name: str) -> str:
    if not _LIST_ID.fullmatch(list_id) or len(list_id) > 255:
        raise ValueError("a List-Id is a name with dots, as a domain")
    shown = phrase(list_name).replace("\r\n ", " ")
    return f"{shown} <{list_id}>" if shown else f"<{list_id}>"
