"""What a connection to a relay needs to know (RFC 6409, RFC 8314; timeouts of RFC 5321 4.5.3.2)."""

from dataclasses import dataclass, field
from enum import StrEnum


class TlsMode(StrEnum):
    """How the connection is encrypted. `NONE` works on loopback alone, or where `plain_allowed`.

    `OPPORTUNISTIC` (RFC 7435) is for a recipient's own server: STARTTLS where it is offered, whatever its certificate.
    """

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"
    OPPORTUNISTIC = "opportunistic"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Each is the limit of the whole step, however the bytes trickle in.

    A message may take `write` and one second more for each `min_rate` octets to be handed over;
    `setup` bounds everything from connecting to the login; `quit` is short since nothing depends on
    its answer.
    """

    connect: float = 30.0
    greeting: float = 60.0
    command: float = 120.0
    data_go_ahead: float = 120.0
    final_dot: float = 600.0
    write: float = 180.0
    min_rate: int = 8192
    setup: float = 180.0
    quit: float = 3.0


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """A relay as its administrator entered it.

    `ca_pem` replaces the system's certificate authorities for this relay (a company CA).
    `allow_private` permits loopback and private addresses. `max_octets` is our own limit on a
    message's size, besides the server's SIZE. With an `access_token` the login is XOAUTH2's and the
    password is not used. `plain_allowed` is for a recipient's own server, where nobody logs in. Neither
    password nor token appears in a repr.
    """

    host: str
    port: int
    tls: TlsMode
    username: str = ""
    password: str = field(default="", repr=False)
    ca_pem: str | None = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    ehlo_name: str = "localhost"
    allow_private: bool = False
    max_octets: int | None = None
    access_token: str = field(default="", repr=False)
    plain_allowed: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError on what could change the dialogue. No value is quoted in the error."""
        if not 0 < self.port < 65536:
            raise ValueError("port must be between 1 and 65535")
        for name in ("host", "username", "password", "ehlo_name", "access_token"):
            if any(ord(sign) < 32 or sign == "\x7f" for sign in getattr(self, name)):
                raise ValueError(f"{name} must not contain control characters")
        if not self.host or not self.ehlo_name.isascii() or " " in self.ehlo_name:
            raise ValueError("host and ehlo_name must be host names")
        if self.username and (self.plain_allowed or self.tls is TlsMode.OPPORTUNISTIC):
            raise ValueError("nobody logs in where the connection may be plain")
