"""Links to our own public pages, which carry a signed campaign and delivery id (RFC 8058 section 3.1).

A GET on such a link changes nothing: scanners follow them. That is the views' part; here they are made and read.
"""

from urllib.parse import urlsplit

from campaigns.mailer.tokens import Tokens

_UNSUBSCRIBE = "unsubscribe"
_SLIP = "slip"
_JOIN = "join"
_CONFIRM = "confirm-subscription"


class Links:
    """Makes links below the installation's public address, for example `https://mail.corp.example`.

    Raises ValueError for a base that isn't a plain http(s) address.
    """

    def __init__(self, base_url: str, tokens: Tokens) -> None:
        parts = urlsplit(base_url)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or not plain
            or _odd(base_url)
        ):
            raise ValueError("the public address must be http(s)://host[:port][/path]")
        self._base = base_url.rstrip("/")
        self._tokens = tokens

    @property
    def secure(self) -> bool:
        """Whether one-click unsubscribing may be offered: RFC 8058 asks for https."""
        return self._base.startswith("https://")

    def unsubscribe(self, campaign_id: int, delivery_id: int) -> str:
        """The page of one recipient's unsubscribing, which is also where the one-click POST goes."""
        return f"{self._base}/u/{self._tokens.make(_UNSUBSCRIBE, campaign_id, delivery_id)}"

    def read_unsubscribe(self, token: str) -> tuple[int, int] | None:
        """(campaign_id, delivery_id) of the token in such a link, else None; never raises."""
        return self._read(_UNSUBSCRIBE, token)

    def slip(self, campaign_id: int, delivery_id: int) -> str:
        """The page on which one employee sees and confirms a payslip. How long it lives is the pipeline's to say."""
        return f"{self._base}/slip/{self._tokens.make(_SLIP, campaign_id, delivery_id)}"

    def read_slip(self, token: str) -> tuple[int, int] | None:
        """As `read_unsubscribe`: the token of one purpose is none for the other."""
        return self._read(_SLIP, token)

    def join(self, form_id: int) -> str:
        """The public form of a list, which may stand on any site."""
        return f"{self._base}/join/{self._tokens.make(_JOIN, form_id)}"

    def read_join(self, token: str) -> int | None:
        """The form's id, else None; never raises."""
        ids = self._tokens.read(_JOIN, token)
        return ids[0] if ids and len(ids) == 1 else None

    def confirm(self, campaign_id: int, delivery_id: int) -> str:
        """The page on which a reader confirms a subscription (double opt-in)."""
        return f"{self._base}/confirm/{self._tokens.make(_CONFIRM, campaign_id, delivery_id)}"

    def read_confirm(self, token: str) -> tuple[int, int] | None:
        """As `read_unsubscribe`."""
        return self._read(_CONFIRM, token)

    def _read(self, purpose: str, token: str) -> tuple[int, int] | None:
        ids = self._tokens.read(purpose, token)
        return (ids[0], ids[1]) if ids and len(ids) == 2 else None


def _odd(url: str) -> bool:
    """Characters that could end the address inside a header or an attribute, which urlsplit lets pass."""
    return not url.isascii() or any(
        character <= " " or character in "<>\"'\\,\x7f" for character in url
    )
