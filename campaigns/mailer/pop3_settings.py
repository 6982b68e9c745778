"""What a session with a maildrop needs to know (RFC 1939, RFC 2595, RFC 8314)."""

from dataclasses import dataclass, field
from enum import StrEnum


class PopTls(StrEnum):
    """How the connection is encrypted. `NONE` works on loopback alone."""

    IMPLICIT = "implicit"
    STLS = "stls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PopTimeouts:
    """Seconds, each for the whole step however the octets trickle in; `session` for all of them."""

    connect: float = 30.0
    greeting: float = 60.0
    command: float = 60.0
    listing: float = 120.0
    message: float = 300.0
    quit: float = 60.0
    session: float = 1800.0


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """A mailbox as its administrator entered it. `ca_pem` replaces the system's authorities;
    `allow_private` permits loopback and private addresses. With an `access_token` the login is
    XOAUTH2's and the password may be empty. Neither of them appears in a repr."""

    host: str
    port: int
    tls: PopTls
    username: str
    password: str = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)
    timeouts: PopTimeouts = PopTimeouts()
    allow_private: bool = False
    access_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError on what could change the dialogue. No value is quoted in the error."""
        if not 0 < self.port < 65536:
            raise ValueError("port must be between 1 and 65535")
        for name in ("host", "username", "password", "access_token"):
            value = getattr(self, name)
            other = {"password": self.access_token, "access_token": "-"}.get(name, "")
            if not (value or other) or any(ord(sign) < 32 or sign == "\x7f" for sign in value):
                raise ValueError(f"{name} must not be empty or contain control characters")
