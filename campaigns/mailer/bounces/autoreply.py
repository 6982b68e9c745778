"""Automatic responses: somebody is away, or a machine says thank you (RFC 3834, RFC 8098)."""

import re

from campaigns.mailer.bounces.parts import Part
from campaigns.mailer.bounces.texts import header_text

_SUBJECT = re.compile(
    r"(?i)^\W{0,4}(?:(?:re|aw|fwd?|回复|答复)\s?[:：]\s?){0,2}[\[【(（]?(?:"
    r"auto(?:matic|matische|mated|matyczna)?[- ]?(?:reply|response|respond|antwort|odpowied|answer)|"
    r"auto(?:re(?:ply|spon(?:d|se|s|der)))|auto\s?:|respuesta autom|r[ée]ponse automatique|risposta automatica|"
    r"resposta autom|automatisk svar|automatisches? antwort|abwesenheit|absence|absent|"
    r"out[- ]of[- ](?:the[- ])?office|ooo\b|away (?:from|until)|on vacation|vacation|holiday|i am away|"
    r"自动(?:回复|答复|应答|回覆)|自動(?:回覆|返信|応答)|外出|不在通知|休假|автоответ|отсутств)"
)
_BODY = (
    "this is an automatic reply",
    "this is an automated response",
    "this is an auto-reply",
    "i am currently away",
    "i am currently out of",
    "i'm out of the office",
    "i am out of the office",
    "i will be out of the office",
    "i'm on vacation",
    "i am on vacation",
    "is no longer in use. please contact",
    "这是一封自动回复",
    "自动回复邮件",
    "此邮件为自动回复",
    "系统自动回复",
    "我正在休假",
    "您的邮件我已经收到",
    "您的来信已收到",
    "您好，我已收到您的邮件",
    "自動返信",
    "自動応答",
)


def is_autoreply(part: Part, text: str) -> bool:
    """Whether a message that is no report answers by itself. `text` is its readable text."""
    submitted = part.get("auto-submitted").lower()
    if submitted.startswith("auto-replied"):
        return True
    precedence = f"{part.get('precedence')} {part.get('x-precedence')}".lower()
    if "auto_reply" in precedence or "auto-reply" in precedence:
        return True
    if any(
        part.get(name)
        for name in (
            "x-autoreply",
            "x-autorespond",
            "x-autoresponder",
            "x-auto-reply",
            "x-vacation",
        )
    ):
        return part.get("x-autoreply").lower() != "no"
    if _SUBJECT.match(header_text(part.get("subject"))):
        return True
    said = text[:3000].lower().replace("’", "'")
    if any(phrase in said for phrase in _BODY):
        return True
    return _has_null_sender(part) and submitted not in ("", "no")


def is_disposition(part: Part) -> bool:
    """A message disposition notification: opened, deleted, … (RFC 8098)."""
    return part.parameters.get("report-type", "").lower() == "disposition-notification" or any(
        p.content_type == "message/disposition-notification" for p in part.walk()
    )


def _has_null_sender(part: Part) -> bool:
    return part.get("return-path").replace(" ", "") == "<>"
