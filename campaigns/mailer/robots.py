"""Group robots of WeCom, DingTalk and Feishu: the message that each takes, its signature and its answer.

Each vendor's own page describes it: WeCom "群机器人配置说明" (msgtype text, at most 2048 octets),
DingTalk "自定义机器人安全设置" (timestamp in milliseconds and HMAC-SHA256 in the query), Feishu
"自定义机器人使用指南" (timestamp in seconds and HMAC-SHA256 in the body).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from campaigns.mailer.https import Answer

#: Octets of one text; WeCom's limit, which the others exceed.
MAX_OCTETS: Final = 2000
#: Seconds between two messages: all three take 20 a minute.
PAUSE: Final = 3.0


class Robot(StrEnum):
    """Whose group it writes into."""

    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"


class Trouble(StrEnum):
    """Why a robot did not take a message, as far as its error number tells."""

    SIGNATURE = "robot_signature"
    KEYWORD = "robot_keyword"
    ADDRESS = "robot_address"
    GONE = "robot_gone"
    BUSY = "robot_busy"
    REFUSED = "robot_refused"


#: Waiting does not cure these.
FOR_GOOD: Final = frozenset({Trouble.SIGNATURE, Trouble.KEYWORD, Trouble.ADDRESS, Trouble.GONE})

_NUMBERS: Final[dict[Robot, dict[int, Trouble]]] = {
    Robot.WECOM: {
        45009: Trouble.BUSY,
        93000: Trouble.GONE,  # invalid webhook url
        93008: Trouble.GONE,  # not in group
        93017: Trouble.GONE,
    },
    Robot.DINGTALK: {
        130101: Trouble.BUSY,
        300001: Trouble.GONE,  # token is not exist
        310000: Trouble.SIGNATURE,  # keywords, signature and IP address have one number
        400101: Trouble.GONE,
        410100: Trouble.BUSY,
    },
    Robot.FEISHU: {
        9499: Trouble.BUSY,
        11232: Trouble.BUSY,
        19001: Trouble.GONE,
        19021: Trouble.SIGNATURE,
        19022: Trouble.ADDRESS,
        19024: Trouble.KEYWORD,
    },
}


@dataclass(frozen=True, slots=True)
class RobotPost:
    """Where to, and the JSON to post; neither shows itself, for the address is a secret."""

    url: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)

    @property
    def octets(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8")


def robot_post(robot: Robot, url: str, secret: str, text: str, *, now: float) -> RobotPost:
    """`text` as this robot takes it. `now`: Unix seconds; `secret`: "" where none was set."""
    text = shortened(text)
    if robot is Robot.FEISHU:
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if secret:
            stamp = str(int(now))
            body |= {"timestamp": stamp, "sign": _sign(f"{stamp}\n{secret}", "")}
        return RobotPost(url, body)
    body = {"msgtype": "text", "text": {"content": text}}
    if robot is Robot.DINGTALK and secret:
        stamp = str(int(now * 1000))
        url = _with_query(url, timestamp=stamp, sign=_sign(secret, f"{stamp}\n{secret}"))
    return RobotPost(url, body)


def _sign(key: str, message: str) -> str:
    digest = hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def _with_query(url: str, **more: str) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in more]
    return urlunsplit(parts._replace(query=urlencode([*query, *more.items()])))


def fits(text: str) -> bool:
    """Whether every robot takes it whole."""
    return len(text.encode("utf-8")) <= MAX_OCTETS


def shortened(text: str) -> str:
    """At most `MAX_OCTETS` of UTF-8, cut between characters and marked."""
    if fits(text):
        return text
    return text.encode("utf-8")[: MAX_OCTETS - 3].decode("utf-8", "ignore") + "…"


def number_of(robot: Robot, answer: Answer) -> int | None:
    """The robot's own error number, 0 for success; None where its answer is none of a robot."""
    try:
        found = json.loads(answer.body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    names = ("code", "StatusCode") if robot is Robot.FEISHU else ("errcode",)
    numbers = [found.get(name) for name in names] if isinstance(found, dict) else []
    for number in numbers:
        if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**31:
            return number
    return None


def trouble_of(robot: Robot, answer: Answer) -> Trouble | None:
    """None where the message was taken; an HTTP status of success alone says nothing."""
    number = number_of(robot, answer)
    if number == 0 and 200 <= answer.status < 300:
        return None
    if answer.status == 429:
        return Trouble.BUSY
    if answer.status in (404, 410) and number is None:
        return Trouble.GONE
    return _NUMBERS[robot].get(number or 0, Trouble.REFUSED)
