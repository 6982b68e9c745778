"""Opens and clicks through gunicorn as it runs in production: a kill loses a second at most, a stop nothing."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from campaigns.pipeline.hits import REPEATS
from tests.end_to_end.site import LiveSite
from tests.servers.process import becomes_true

MAKE = """
import json
from accounts.models import Relay, Team
from campaigns.models import Campaign
from campaigns.pipeline.compose import tracked_links
from tests import cast
relay = cast.a_relay(cast.a_team())
readers = cast.a_list(relay.team, ["bob@customer.example"])
html = '<a href="https://shop.example/">x</a> <a href="{{ unsubscribe_url }}">y</a>'
template = cast.a_template(relay.team, "newsletter", subject="s", html=html, text="")
made = cast.a_campaign(relay, None, template=template, contact_list=readers, tracking="individual")
made = cast.launched(made)
links = tracked_links()
row = made.deliveries.get()
clicks = [links.click(made.pk, row.pk, number, "https://shop.example/") for number in range(1, 20)]
print(json.dumps([*clicks, links.opened(made.pk, row.pk)]))
"""
COUNT = "from campaigns.models import Hit; print(Hit.objects.exclude(delivery=None).count())"


def follow(site: LiveSite, urls: list[str]) -> None:
    """Each as often as it is remembered within a moment."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    for url in urls * REPEATS:
        connection.request("GET", urlsplit(url).path, headers={"User-Agent": "Firefox/130.0"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 302)
        assert answer.getheader("Set-Cookie") is None
    connection.close()


def stored(site: LiveSite) -> int:
    return int(site.manage("shell", "--no-imports", "-c", COUNT))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_kill_loses_at_most_a_second_and_a_stop_nothing(live_site: LiveSite) -> None:
    urls = json.loads(live_site.manage("shell", "--no-imports", "-c", MAKE))
    web = live_site.spawn("web")
    threads = [
        threading.Thread(target=follow, args=(live_site, urls[at : at + 5]))
        for at in range(0, 20, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(1.2)  # what is older than a second is on disk
    web.kill()
    assert stored(live_site) == 200
    web = live_site.spawn("web")
    follow(live_site, urls[:2])
    web.stop()
    assert becomes_true(lambda: stored(live_site) == 220, seconds=5, every=1)
