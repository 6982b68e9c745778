"""An OAuth token endpoint on loopback, over plain HTTP: it checks what it is asked and counts (RFC 6749, RFC 7636).

with TokenEndpoint(codes={"c0de": challenge}, refresh_tokens={"old"}) as endpoint:
    ...  # post to endpoint.url
    endpoint.asked  # every form that came
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.fakes.json_server import JsonServer

CLIENT, SECRET = "client-1", "client-secret-4711"


@dataclass
class TokenEndpoint(JsonServer):
    """`codes`: code to the challenge that it was asked for with. `answer`: (status, body) for whatever is asked.

    Each token that it gives is another one. With `rotates` a refresh token is good once, and a new one comes with it.
    """

    codes: dict[str, str] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    client_scope: str = ""
    seconds: int = 3600
    rotates: bool = False
    delay: float = 0.0
    answer: tuple[int, bytes] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    def answered(self, target: str, body: bytes) -> tuple[int, bytes]:
        form = dict(parse_qsl(body.decode()))
        time.sleep(self.delay)
        with self._lock:
            self.asked.append(form)
            if self.answer is not None:
                return self.answer
            if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
                return 401, _error("invalid_client", "Unknown client.")
            return self._granted(form)

    def _granted(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        grant, more = form.get("grant_type"), {}
        if grant == "authorization_code":
            wanted = self.codes.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if wanted != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
                return 400, _error("invalid_grant", "Code expired or verifier wrong.")
            more = {"refresh_token": self._new_refresh_token()}
        elif grant == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                return 400, _error("invalid_grant", "Token has been expired or revoked.")
            if self.rotates:
                self.refresh_tokens.discard(form["refresh_token"])
                more = {"refresh_token": self._new_refresh_token()}
        elif grant != "client_credentials" or form.get("scope") != self.client_scope:
            return 400, _error("unsupported_grant_type", "")
        token = f"access-{len(self.given) + 1}"
        self.given.append(token)
        body = {"token_type": "Bearer", "access_token": token, "expires_in": self.seconds, **more}
        return 200, json.dumps(body).encode()

    def _new_refresh_token(self) -> str:
        token = f"refresh-{len(self.asked)}"
        self.refresh_tokens.add(token)
        return token


def _error(word: str, sentence: str) -> bytes:
    return json.dumps({"error": word, "error_description": sentence}).encode()
