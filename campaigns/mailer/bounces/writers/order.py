"""The reporting programs in the order in which they are tried: those with telling marks first."""

from campaigns.mailer.bounces.writer import Writer
from campaigns.mailer.bounces.writers import (
    aliyun,
    communigate,
    courier,
    domino,
    dragonfly,
    exchange,
    exim,
    ezweb,
    fml,
    gateway,
    gmail,
    imailserver,
    netease,
    opensmtpd,
    other,
    postfix,
    qmail,
    qq,
    sendmail,
    verizon,
)

WRITERS: tuple[Writer, ...] = tuple(
    module.WRITER
    for module in (
        dragonfly,
        opensmtpd,
        fml,
        ezweb,
        verizon,
        gateway,
        qq,
        aliyun,
        netease,
        exim,
        qmail,
        postfix,
        domino,
        exchange,
        gmail,
        sendmail,
        imailserver,
        communigate,
        courier,
        other,
    )
)


def writer_of(text: str) -> Writer | None:
    """The program whose marks occur in `text` (lower case, single blanks), if any."""
    return next((writer for writer in WRITERS if writer.recognises(text)), None)
