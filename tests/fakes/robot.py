"""A group robot on loopback, over HTTPS: it keeps what it is told and checks signatures as the vendors' do.

with RobotServer("dingtalk", secret="SEC1") as robot:
    ...  # post to robot.url, trusting robot.ca_pem
    robot.told  # the texts that it took
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.certificates import issue
from tests.fakes.json_server import JsonServer

TOKEN = "token-4711-canary"


@dataclass
class RobotServer(JsonServer):
    """`answer`: (status, body) for whatever is posted; `delay`: seconds before it."""

    kind: str
    secret: str = ""
    answer: tuple[int, bytes] | None = None
    delay: float = 0.0
    told: list[str] = field(default_factory=list)
    asked: int = 0

    def __enter__(self) -> Self:
        self.issued = issue()
        self.ca_pem = self.issued.ca_pem
        return super().__enter__()

    @property
    def url(self) -> str:
        path = {
            "wecom": f"/cgi-bin/webhook/send?key={TOKEN}",
            "dingtalk": f"/robot/send?access_token={TOKEN}",
            "feishu": f"/open-apis/bot/v2/hook/{TOKEN}",
        }[self.kind]
        return f"https://localhost:{self.port}{path}"

    def answered(self, target: str, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        time.sleep(self.delay)
        if self.answer is not None:
            return self.answer
        number = getattr(self, f"_{self.kind}")(urlsplit(target), json.loads(body))
        name = "code" if self.kind == "feishu" else "errcode"
        return 200, json.dumps({name: number, "errmsg": f"for {target}"}).encode()

    def _wecom(self, target: Any, body: dict[str, Any]) -> int:
        if parse_qs(target.query) != {"key": [TOKEN]}:
            return 93000
        return self._take(body.get("msgtype"), body["text"]["content"], most=2048)

    def _dingtalk(self, target: Any, body: dict[str, Any]) -> int:
        query = parse_qs(target.query)
        if query["access_token"] != [TOKEN]:
            return 300001
        if self.secret:
            stamp = query.get("timestamp", ["0"])[0]
            right = _digest(self.secret, f"{stamp}\n{self.secret}")
            if query.get("sign") != [right] or abs(int(stamp) / 1000 - time.time()) > 3600:
                return 310000
        return self._take(body.get("msgtype"), body["text"]["content"], most=20_000)

    def _feishu(self, target: Any, body: dict[str, Any]) -> int:
        if not target.path.endswith(f"/hook/{TOKEN}"):
            return 19001
        if self.secret:
            stamp = body.get("timestamp", "0")
            right = _digest(f"{stamp}\n{self.secret}", "")
            if body.get("sign") != right or abs(int(stamp) - time.time()) > 3600:
                return 19021
        return self._take(body.get("msg_type"), body["content"]["text"], most=20_000)

    def _take(self, kind: object, text: str, most: int) -> int:
        if kind != "text" or not text or len(text.encode()) > most:
            return 40035
        self.told.append(text)
        return 0


def _digest(key: str, message: str) -> str:
    """As each vendor's page says: HMAC-SHA256 in base64."""
    made = hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()
    return base64.b64encode(made).decode()
