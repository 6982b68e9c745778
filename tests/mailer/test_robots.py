"""Group robots: the payload and signature that each wants, and what its answers mean."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from campaigns.mailer.https import Answer
from campaigns.mailer.robots import (
    FOR_GOOD,
    MAX_OCTETS,
    Robot,
    Trouble,
    robot_post,
    shortened,
    trouble_of,
)


def answer(status: int = 200, **body: object) -> Answer:
    return Answer(status, json.dumps(body).encode())


def test_wecom_takes_a_text_and_no_signature() -> None:
    made = robot_post(Robot.WECOM, "https://r.example/send?key=k", "unused", "你好", now=1.0)
    assert made.url == "https://r.example/send?key=k"
    assert json.loads(made.octets) == {"msgtype": "text", "text": {"content": "你好"}}


def test_dingtalk_is_signed_in_the_query() -> None:
    """Milliseconds, a line feed and the secret; the value is that of `openssl dgst -sha256 -hmac`."""
    url = "https://r.example/robot/send?access_token=t"
    made = robot_post(Robot.DINGTALK, url, "this is secret", "x", now=1577262236.757)
    query = dict(parse_qsl(urlsplit(made.url).query))
    assert query == {
        "access_token": "t",
        "timestamp": "1577262236757",
        "sign": "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=",
    }
    assert "+" not in made.url.partition("sign=")[2]
    assert robot_post(Robot.DINGTALK, url, "", "x", now=1.0).url == url


def test_feishu_is_signed_in_the_body() -> None:
    """Seconds and the secret are the key, and nothing is the message."""
    made = robot_post(Robot.FEISHU, "https://r.example/hook/t", "demo", "x", now=1599360473.9)
    assert json.loads(made.octets) == {
        "msg_type": "text",
        "content": {"text": "x"},
        "timestamp": "1599360473",
        "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=",
    }


def test_neither_address_nor_text_show_themselves() -> None:
    made = robot_post(Robot.WECOM, "https://r.example/?key=canary", "", "canary text", now=1.0)
    assert "canary" not in repr(made)


def test_a_long_text_is_cut_between_characters() -> None:
    cut = shortened("汉" * 2000)
    assert len(cut.encode()) <= MAX_OCTETS
    assert cut.endswith("汉…")
    assert shortened("短") == "短"


@pytest.mark.parametrize(
    ("robot", "given", "trouble"),
    [
        (Robot.WECOM, answer(errcode=0, errmsg="ok"), None),
        (Robot.WECOM, answer(errcode=45009), Trouble.BUSY),
        (Robot.WECOM, answer(errcode=93000), Trouble.GONE),
        (Robot.DINGTALK, answer(errcode=310000), Trouble.SIGNATURE),
        (Robot.DINGTALK, answer(errcode=130101), Trouble.BUSY),
        (Robot.FEISHU, answer(code=0, msg="success"), None),
        (Robot.FEISHU, answer(StatusCode=0), None),
        (Robot.FEISHU, answer(code=19021), Trouble.SIGNATURE),
        (Robot.FEISHU, answer(code=19024), Trouble.KEYWORD),
        (Robot.FEISHU, answer(code=11232), Trouble.BUSY),
        (Robot.WECOM, answer(errcode=-1), Trouble.REFUSED),
        (Robot.WECOM, Answer(200, b"<html>welcome</html>"), Trouble.REFUSED),
        (Robot.WECOM, Answer(200, b"[" * 100_000), Trouble.REFUSED),
        (Robot.WECOM, Answer(404, b"nothing"), Trouble.GONE),
        (Robot.WECOM, Answer(429, b"{}"), Trouble.BUSY),
        (Robot.WECOM, Answer(302, b'{"errcode": 0}'), Trouble.REFUSED),
        (Robot.WECOM, answer(errcode=True), Trouble.REFUSED),
        (Robot.WECOM, answer(errcode="0"), Trouble.REFUSED),
    ],
)
def test_an_error_number_is_a_failure(robot: Robot, given: Answer, trouble: Trouble | None) -> None:
    assert trouble_of(robot, given) == trouble


def test_waiting_cures_a_busy_robot_and_no_wrong_key() -> None:
    assert Trouble.BUSY not in FOR_GOOD
    assert {Trouble.SIGNATURE, Trouble.GONE} <= FOR_GOOD
