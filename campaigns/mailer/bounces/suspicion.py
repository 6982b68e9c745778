"""Whether a message looks like a report of non-delivery before anything in it is understood."""

import re

from campaigns.mailer.bounces.parts import Part
from campaigns.mailer.bounces.texts import header_text

_DAEMON = re.compile(
    r"(?i)(?:mailer.?daemon|mail.?daemon|post.?master|mail.?delivery|mail.?system|mdaemon|bounce|"
    r"mmsc|double-bounce|mail.?administrator|system.?administrator|smtp_mail_service|退信|系统管理员|邮件系统)"
)
_SUBJECT = re.compile(
    r"(?i)(?:undeliver|returned? (?:to sender|mail)|mail returned|delivery (?:status|failure|failed|notification|report|problem|error|has failed)|"
    r"deliver(?:y|ed|ing)?.{0,20}fail|failure notice|non-?deliver|failed mail|mail (?:could not|delivery|failure|system error|failed)|"
    r"could not be delivered|not delivered|permanent (?:delivery )?fail|error sending your mail|message.{0,20}delayed|"
    r"delayed mail|bounce|rejected mail|user unknown|unzustellbar|non remis|no entregado|"
    r"impossible de remettre|échec|退信|退回|投递失败|发送失败|无法投递|未送达|无法送达|退件|傳遞失敗|無法傳遞|配信不能|配信でき|送信エラー|未達|届けられ|не доставлено|недоставлен)"
)
_ANSWER = re.compile(r"(?i)\s{0,4}(?:re|aw|sv|fw|fwd|回复|答复|转发|回覆|轉寄)\s{0,2}[:：]")
_FAILURE = (
    "could not be delivered",
    "couldn't be delivered",
    "could not deliver",
    "not be delivered",
    "was not delivered",
    "wasn't delivered",
    "not delivered",
    "undeliver",
    "unable to deliver",
    "unable to send",
    "wasn't able to deliver",
    "failed to deliver",
    "delivery failed",
    "delivery failure",
    "delivery has failed",
    "deliver your message",
    "returned mail",
    "returned message",
    "has been returned",
    "did not reach",
    "permanent error",
    "permanent fatal",
    "fatal error",
    "delivery error",
    "failed permanently",
    "has been delayed",
    "not yet been delivered",
    "rejected",
    "mailbox is full",
    "mailbox full",
    "user unknown",
    "unknown user",
    "no such user",
    "does not exist",
    "cannot be delivered",
    "can't be delivered",
    "not a valid",
    "failed address",
    "over quota",
    "bounced",
    "failed recipient",
    "non-delivery",
    "not exactly match",
    "did not exactly match",
    "trouble delivering",
    "non délivr",
    "konnte nicht",
    "nicht zugestellt",
    "non è stato",
    "no se pudo",
    "não foi possível",
    "не может быть доставлен",
    "невозможно доставить",
    "退信",
    "退回",
    "投递失败",
    "发送失败",
    "无法投递",
    "未送达",
    "无法送达",
    "被拒",
    "拒收",
    "不存在",
    "已满",
    "未能送达",
    "未能投递",
    "送信できません",
    "配信できません",
    "届けられません",
    "お届けできません",
    "送信に失敗",
    "配送できません",
    "傳遞",
    "無法",
)


def looks_like_report(part: Part) -> bool:
    """By its sender, its null return path or its subject."""
    sender = header_text(part.get("from"))
    if (
        part.content_type == "multipart/report"
        or _DAEMON.search(sender)
        or part.get("x-failed-recipients")
    ):
        return True
    if part.get("return-path").replace(" ", "") in ("<>", "<MAILER-DAEMON>") and not part.get(
        "in-reply-to"
    ):
        return True
    subject = header_text(part.get("subject"))
    return not is_answer(part) and bool(_SUBJECT.search(subject))


def is_answer(part: Part) -> bool:
    """A person's reply or forward, which may quote a report and is none."""
    return bool(_ANSWER.match(header_text(part.get("subject"))) or part.get("in-reply-to"))


def is_named_daemon(part: Part) -> bool:
    """Whether a mail system signs as the sender."""
    reports = part.content_type == "multipart/report" or part.get("x-failed-recipients") != ""
    return reports or bool(_DAEMON.search(header_text(part.get("from"))))


def is_from_daemon(part: Part) -> bool:
    """By its sender or null return path alone, which no person's mail has."""
    return is_named_daemon(part) or part.get("return-path").replace(" ", "") == "<>"


def speaks_of_failure(subject: str, text: str) -> bool:
    """Whether subject or text say in words that something was not delivered."""
    said = f"{subject} {text[:6000]}".lower().replace("’", "'")
    said = " ".join(said.split())
    return bool(_SUBJECT.search(subject)) or any(words in said for words in _FAILURE)


_DELAY = (
    "warning message only",
    "this is a warning",
    "delayed",
    "not yet been delivered",
    "will be retried",
    "gmail will retry",
    "still being retried",
    "further attempts to deliver",
)


def is_delay(subject: str, text: str) -> bool:
    """Whether a report in prose says that it will be tried again."""
    said = " ".join(f"{subject} {text[:3000]}".lower().split())
    return "failed permanently:" not in said and any(words in said for words in _DELAY)
