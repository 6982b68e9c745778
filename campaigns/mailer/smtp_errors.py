"""How an SMTP connection fails. Neither message nor attributes ever hold a credential or content."""

from campaigns.mailer.reply import LinkFailure, Phase, Reply
from campaigns.mailer.reply_reasons import Reason, sentence_zh


class RelayFailure(Exception):
    """The connection cannot go on; it is closed. `cause` is what `classify` wants beside `phase`."""

    def __init__(self, phase: Phase, kind: Reason, reply: Reply | None = None) -> None:
        self.phase = phase
        self.kind = kind
        self.reply = reply
        super().__init__(f"{phase}: {kind}" + (f": {reply}" if reply else ""))

    @property
    def cause(self) -> Reply | LinkFailure:
        """The server's reply if there was one, else the failure of the link."""
        return self.reply or LinkFailure(self.kind)

    @property
    def sentence_zh(self) -> str:
        """A Chinese sentence; the Django side may translate `kind` instead."""
        return sentence_zh(self.kind)


class ContentFailure(RelayFailure):
    """No usable final reply. `in_doubt`: the buffer with the final dot had gone to the kernel."""

    def __init__(self, kind: Reason, *, in_doubt: bool, reply: Reply | None = None) -> None:
        self.in_doubt = in_doubt
        super().__init__(Phase.CONTENT, kind, reply)

    @property
    def cause(self) -> Reply | LinkFailure:
        """A reply counts only where it can be the answer to this message."""
        return self.reply or LinkFailure(self.kind, dot_sent=self.in_doubt)


class EnvelopeRefused(ValueError):
    """This envelope cannot go over this connection; nothing of it was sent, the connection is ready."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(str(reason))

    @property
    def sentence_zh(self) -> str:
        """A Chinese sentence; the Django side may translate `reason` instead."""
        return sentence_zh(self.reason)
