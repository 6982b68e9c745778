"""How an IMAP session logs in and says who it is (RFC 9051, 6.2; RFC 2971; RFC 4616; RFC 4959)."""

import base64

from campaigns.mailer import xoauth2
from campaigns.mailer.imap_syntax import quoted
from campaigns.mailer.imap_talk import Talk
from campaigns.mailer.pop3_errors import MaildropFailure, Phase, Problem, login_problem

#: NetEase lets nobody open a folder ("Unsafe Login") who has not said who he is; it does not always say so.
_WANT_ID = ("163.com", "126.com", "yeah.net", "188.com", "netease.com")
_WHO = 'ID ("name" "Hongyan" "version" "1.0" "vendor" "Hongyan")'


def log_in(talk: Talk) -> None:
    """One try by one way, since houses lock an account after a few."""
    settings = talk.settings
    try:
        if settings.access_token:
            _by_token(talk)
        elif talk.offers("AUTH=PLAIN"):
            secret = f"\0{settings.username}\0{settings.password}".encode()
            _authenticate(talk, "PLAIN", base64.b64encode(secret).decode("ascii"))
        elif talk.offers("LOGINDISABLED"):
            raise MaildropFailure(Phase.LOGIN, Problem.TLS_MISSING)
        else:
            _by_login(talk)
    except MaildropFailure as failure:
        if not failure.is_open:
            raise
        raise MaildropFailure(
            Phase.LOGIN, _problem(failure.reply, settings.host), failure.reply
        ) from None
    talk.forget_capabilities()


def identify(talk: Talk) -> None:
    """Before the first folder is opened. A server that does not want it is not asked twice."""
    host = talk.settings.host.lower().rstrip(".")
    if not (talk.offers("ID") or host.endswith(_WANT_ID)):
        return
    try:
        talk.command(Phase.LOGIN, _WHO)
    except MaildropFailure as failure:
        if not failure.is_open:
            raise


def _problem(reply: str, host: str) -> Problem:
    found = login_problem(reply, host)
    return Problem.IMAP_OFF if found is Problem.POP3_OFF else found


def _authenticate(talk: Talk, mechanism: str, response: str) -> None:
    """With the response at once where the server takes it (RFC 4959)."""
    if talk.offers("SASL-IR"):
        tag = talk.begin(Phase.LOGIN, f"AUTHENTICATE {mechanism} {response}")
    else:
        tag = talk.begin(Phase.LOGIN, f"AUTHENTICATE {mechanism}")
        if talk.continued(Phase.LOGIN, tag) is None:
            raise MaildropFailure(Phase.LOGIN, Problem.PROTOCOL)
        talk.say(Phase.LOGIN, response)
    challenge = talk.continued(Phase.LOGIN, tag)
    if challenge is None:
        return
    # A refusal by token comes as a challenge first; the empty answer to it brings the NO.
    why = xoauth2.complaint(challenge)
    talk.say(Phase.LOGIN, "")
    try:
        talk.end(Phase.LOGIN, tag)
    except MaildropFailure as failure:
        if failure.is_open and why:
            said = f"{failure.reply} ({why})".strip()
            raise MaildropFailure(failure.phase, failure.kind, said, is_open=True) from None
        raise


def _by_token(talk: Talk) -> None:
    settings = talk.settings
    _authenticate(
        talk, xoauth2.MECHANISM, xoauth2.response(settings.username, settings.access_token)
    )


def _by_login(talk: Talk) -> None:
    """What is not ASCII goes as a literal, which the server has to ask for (RFC 9051, 4.3)."""
    pieces = (talk.settings.username, talk.settings.password)
    if all(piece.isascii() for piece in pieces):
        talk.command(Phase.LOGIN, f"LOGIN {quoted(pieces[0])} {quoted(pieces[1])}")
        return
    tag = talk.begin(Phase.LOGIN, f"LOGIN {{{len(pieces[0].encode())}}}")
    if talk.continued(Phase.LOGIN, tag) is None:
        raise MaildropFailure(Phase.LOGIN, Problem.PROTOCOL)
    talk.say(Phase.LOGIN, f"{pieces[0]} {{{len(pieces[1].encode())}}}")
    if talk.continued(Phase.LOGIN, tag) is None:
        raise MaildropFailure(Phase.LOGIN, Problem.PROTOCOL)
    talk.say(Phase.LOGIN, pieces[1])
    talk.end(Phase.LOGIN, tag)
