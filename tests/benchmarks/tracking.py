"""What an open or a click costs: the whole WSGI application called in this process, and the writing of its hits."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

from campaigns.models import Campaign, Hit
from campaigns.models.tracking import Tracking
from campaigns.pipeline import count_hits, hits
from campaigns.pipeline.compose import Composer, tracked_links
from tests.benchmarks import cpu, scene
from tests.benchmarks.ground import Ground
from tests.benchmarks.tables import Findings

REQUESTS, LONG, THROUGH_DJANGO = 20_000, 200_000, 1_000
TARGET = "https://shop.example/products/autumn?item=4711&colour=red"
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0",
)


def _environments(campaign: Campaign, number: int) -> list[dict[str, Any]]:
    """As gunicorn makes them: a picture and a link in turn, of every recipient, each visitor's address his own."""
    links = tracked_links()
    recipients = list(campaign.deliveries.values_list("pk", flat=True))
    made = []
    for at, (pk, agent) in enumerate(islice(zip(cycle(recipients), cycle(AGENTS)), number)):
        url = links.click(campaign.pk, pk, 1, TARGET) if at % 2 else links.opened(campaign.pk, pk)
        made.append(
            {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": "/" + url.split("/", 3)[3],
                "QUERY_STRING": "",
                "REMOTE_ADDR": f"203.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}",
                "HTTP_USER_AGENT": agent,
                "HTTP_HOST": "localhost",
                "SERVER_NAME": "hongyan.example",
                "SERVER_PORT": "443",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "wsgi.url_scheme": "https",
                "wsgi.input": io.BytesIO(),
            }
        )
    return made


def _served(application: Callable[..., Any], environments: list[dict[str, Any]]) -> float:
    """CPU seconds of this process, its writing thread included, until every hit is written."""
    started = time.process_time()
    statuses: set[str] = set()
    for environment in environments:
        b"".join(application(environment, lambda status, _headers, *_: statuses.add(status[:3])))
    hits.BUFFER.flush()
    spent = time.process_time() - started
    assert statuses == {"200", "302"}, statuses
    return spent


def _composed(campaign: Campaign, tracking: Tracking) -> float:
    """CPU seconds for each message of a newsletter, unsigned."""
    campaign.tracking = tracking
    composer = Composer(campaign, campaign.relay)
    rows = list(campaign.deliveries.select_related("contact")[:500])
    for row in rows:
        row.campaign = campaign
    started = time.process_time()
    for row in rows:
        composer.compose(row)
    return (time.process_time() - started) / len(rows)


def measure(ground: Ground) -> Findings:
    """Opens and clicks a second of one core's CPU, through config.wsgi, written to PostgreSQL; what they add to composing."""
    from config.wsgi import application

    ground.clear()
    number = LONG if ground.full else REQUESTS
    campaign = scene.launched(scene.a_campaign(number // hits.REPEATS, 1))
    Campaign.objects.filter(pk=campaign.pk).update(tracking=Tracking.INDIVIDUAL)
    environments = _environments(campaign, number)
    servers = cpu.spent()
    spent = _served(application, environments)
    database = cpu.since(servers)["PostgreSQL"]
    assert Hit.objects.count() == number
    behind = application.behind
    django = _served(behind, environments[:THROUGH_DJANGO])
    Hit.objects.update(at="2026-01-01T00:00Z")
    started = time.process_time()
    counted = count_hits.count()
    counting = time.process_time() - started
    plain, tracked = (_composed(campaign, one) for one in (Tracking.OFF, Tracking.INDIVIDUAL))
    found = Findings()
    found.figures |= {
        "tracking_per_core_second": round(number / spent),
        "tracking_with_database_per_core_second": round(number / (spent + database)),
        "tracking_counted_per_core_second": round(counted / counting),
        "tracking_adds_microseconds_a_message": round((tracked - plain) * 1e6),
    }
    found.table(
        f"{number:,} opens and clicks, each written",
        ["", "a second of CPU"],
        [
            ["the web process, hits written", number / spent],
            ["with PostgreSQL's CPU", number / (spent + database)],
            ["the same through Django's request cycle", THROUGH_DJANGO / django],
            ["hits judged and counted", counted / counting],
            ["messages composed, not tracked", 1 / plain],
            ["messages composed, tracked", 1 / tracked],
        ],
    )
    return found
