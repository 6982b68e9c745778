"""What a session by IMAP needs to know beside what POP3 does (RFC 9051)."""

from dataclasses import dataclass

from campaigns.mailer.pop3_settings import Pop3Settings


@dataclass(frozen=True, slots=True)
class ImapSettings(Pop3Settings):
    """`folders`: the names of those that are read, in Unicode; none: the inbox and the junk folder.
    `move_to`: where marked messages go at `quit`, made if it is missing; blank: they are deleted."""

    folders: tuple[str, ...] = ()
    move_to: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError on what could change the dialogue."""
        # Zero-argument super() finds the class from before slots were added.
        Pop3Settings.__post_init__(self)
        for name in (*self.folders, self.move_to):
            if any(ord(sign) < 32 or sign == "\x7f" for sign in name):
                raise ValueError("a folder must not contain control characters")
