"""Challenge and response: a filter asks the sender to prove that a person sent the message."""

_SENDERS = (
    "@boxbe.com",
    "bluebottle.com",
    "spamarrest.com",
    "@sneakemail",
    "mailblocks.com",
    "@vanquish.com",
    "@spamcop-challenge",
    "@tmda.",
    "-confirm+",
    "@cleanmx",
    "@dp.cz-challenge",
)
_HEADERS = (
    "x-bluebottle-request",
    "x-tmda-confirm",
    "x-spamarrest",
    "x-spam-arrest",
    "x-boxbe-cr",
    "x-ask-action",
)
_WORDS = (
    "please click on the following link to have your address added",
    "to have your address added to the recipient's allowed",
    "to confirm that your message was sent by you",
    "add you to my guest list",
    "added to my guest list",
    "to my approved senders",
    "to be added to the approved",
    "approve you as a sender",
    "verify that you are a real person",
    "confirm that you are a human",
    "prove that you are human",
    "has not yet been delivered because it is awaiting your confirmation",
    "challenge-response",
    "challenge/response",
    "this message was created automatically by tmda",
    "active spam killer",
    "reply to this message to confirm",
    "please click the link below to verify",
    "action required to deliver",
    "boxbe",
    "需要您验证",
    "请点击以下链接完成验证",
    "发件人验证",
)


def is_challenge(sender: str, headers: dict[str, str], text: str) -> bool:
    """`sender` is the From field, `headers` by lower-case name, `text` the readable text."""
    lowered = " ".join(text[:4000].lower().split())
    asked = any(words in lowered for words in _WORDS)
    known = any(s in sender.lower() for s in _SENDERS) or any(name in headers for name in _HEADERS)
    return asked or (known and "http" in lowered)
