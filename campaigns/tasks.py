"""Every Celery task: ids in, one pipeline call. The rows are the queue; Celery is only legs.

A task that is lost, run twice or killed loses nothing: the next tick finds the same rows. Tasks are
acknowledged early and never retried by Celery.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.dispatch import receiver
from kombu.exceptions import OperationalError as BrokerError

from campaigns.models.signals import work_waiting
from campaigns.pipeline import (
    alert_tell,
    alert_watch,
    alerts,
    bounce_rules,
    collect,
    comparison,
    count_hits,
    domain_check,
    enclose,
    figures,
    import_contacts,
    import_suppressions,
    load,
    oauth,
    originals,
    plan,
    probe,
    restored,
    retention,
    return_workbook,
    rotate_keys,
    send,
    sending_hours,
    sweep,
    unfold,
    webhook,
    work,
)
from config.celery import app

log = logging.getLogger(__name__)
# Set in a worker that was asked to end. With a prefork pool the children do not hear of it: there a
# batch ends by BATCH_SECONDS.
_shutting_down = threading.Event()
# Relays of which this process has a batch in work.
_sending: set[int] = set()
_lock = threading.Lock()

app.conf.beat_schedule = {
    "tick": {
        "task": "campaigns.tick",
        "schedule": settings.TICK_SECONDS,
        # A tick that waited longer than this is stale: the next one does its work.
        "options": {"expires": max(settings.TICK_SECONDS * 2, 10)},
    },
    "poll": {
        "task": "campaigns.poll_mailboxes",
        "schedule": settings.POLL_SECONDS,
        "options": {"expires": max(settings.POLL_SECONDS, 10)},
    },
    # Each domain is due once a day; this finds the due ones, and the new ones.
    "domains": {"task": "campaigns.check_domains", "schedule": 60, "options": {"expires": 60}},
    "retention": {
        "task": "campaigns.retire_workbooks",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "originals": {
        "task": "campaigns.expire_originals",
        "schedule": 3600,
        "options": {"expires": 3600},
    },
    "hits": {"task": "campaigns.count_hits", "schedule": 15, "options": {"expires": 15}},
    "old_hits": {"task": "campaigns.forget_hits", "schedule": 3600, "options": {"expires": 3600}},
    "alerts": {"task": "campaigns.watch_alerts", "schedule": 60, "options": {"expires": 60}},
}


def worker_name() -> str:
    """Who holds a claim, for a person who looks for the process."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 100_000}"


@shared_task(name="campaigns.tick")
def tick() -> None:
    """Starts due campaigns, repairs, and gives each share of a relay's free connections a task."""
    restored.look()
    sending_hours.refresh()
    for campaign_id in plan.start_due():
        plan_campaign.delay(campaign_id)
    sweep.sweep()
    for relay_id, batches in work.relays_with_work():
        for _batch in range(batches):
            send_batch.delay(relay_id)
    _hand_out_rows()


def _hand_out_rows() -> None:
    """A task for each row that waits for a worker."""
    handed_out: tuple[tuple[Any, list[int]], ...] = (
        (read_workbook, load.unread()),
        (import_list, import_contacts.waiting()),
        (read_enclosures, enclose.unread()),
        (import_suppressed, import_suppressions.waiting()),
        (unfold_rows, unfold.waiting()),
        (make_returned_workbook, return_workbook.waiting()),
        (sum_columns, figures.waiting()),
        (compare_months, comparison.waiting()),
        (run_probe, probe.waiting()),
        (tell_channel, alert_tell.waiting()),
        (fetch_token, oauth.due()),
        (apply_bounce_rule, bounce_rules.waiting()),
    )
    for task, ids in handed_out:
        for row_id in ids:
            task.delay(row_id)
    if webhook.is_waiting():
        read_events.delay()


@shared_task(name="campaigns.plan")
def plan_campaign(campaign_id: int) -> None:
    plan.plan(campaign_id)


@shared_task(name="campaigns.send_batch")
def send_batch(relay_id: int) -> None:
    """Where a batch leaves more to do, the next one starts at once instead of with the next tick.

    A process drives all its connections to a relay from one batch: it leaves a second one to others.
    """
    alone = send.is_alone(relay_id)
    with _lock:
        if alone and relay_id in _sending:
            return
        _sending.add(relay_id)
    try:
        more = send.send_batch(relay_id, worker_name(), _shutting_down.is_set)
    finally:
        _sending.discard(relay_id)
    if more:
        send_batch.delay(relay_id)


@shared_task(name="campaigns.expire_originals")
def expire_originals() -> None:
    originals.expire()


@shared_task(name="campaigns.apply_bounce_rule")
def apply_bounce_rule(rule_id: int) -> None:
    bounce_rules.apply(rule_id)


@shared_task(name="campaigns.read_workbook")
def read_workbook(workbook_id: int) -> None:
    load.read(workbook_id)


@shared_task(name="campaigns.import_contacts")
def import_list(workbook_id: int) -> None:
    import_contacts.run(workbook_id)


@shared_task(name="campaigns.import_suppressions")
def import_suppressed(import_id: int) -> None:
    import_suppressions.run(import_id)


@shared_task(name="campaigns.unfold_rows")
def unfold_rows(workbook_id: int) -> None:
    unfold.run(workbook_id)


@shared_task(name="campaigns.return_workbook")
def make_returned_workbook(returned_id: int) -> None:
    return_workbook.run(returned_id)


@shared_task(name="campaigns.sum_columns")
def sum_columns(workbook_id: int) -> None:
    figures.make(workbook_id)


@shared_task(name="campaigns.compare_months")
def compare_months(comparison_id: int) -> None:
    comparison.run(comparison_id)


@shared_task(name="campaigns.poll_mailboxes")
def poll_mailboxes() -> None:
    for mailbox_id in collect.due():
        poll_mailbox.delay(mailbox_id)


@shared_task(name="campaigns.poll_mailbox")
def poll_mailbox(mailbox_id: int) -> None:
    collect.poll(mailbox_id)


@shared_task(name="campaigns.check_domains")
def check_domains() -> None:
    domain_check.sync()
    for row_id in domain_check.due():
        check_domain.delay(row_id)
    for key_id in rotate_keys.waiting():
        look_for_record.delay(key_id)


@shared_task(name="campaigns.check_domain")
def check_domain(row_id: int) -> None:
    domain_check.run(row_id)


@shared_task(name="campaigns.read_events")
def read_events() -> None:
    webhook.read_waiting()


@shared_task(name="campaigns.read_enclosures")
def read_enclosures(archive_id: int) -> None:
    enclose.read(archive_id)


@shared_task(name="campaigns.retire_workbooks")
def retire_workbooks() -> None:
    for workbook_id in retention.due():
        retire_workbook.delay(workbook_id)


@shared_task(name="campaigns.retire_workbook")
def retire_workbook(workbook_id: int) -> None:
    retention.run(workbook_id)


@shared_task(name="campaigns.count_hits")
def count_tracked_hits() -> None:
    count_hits.count()


@shared_task(name="campaigns.forget_hits")
def forget_hits() -> None:
    count_hits.forget()


@shared_task(name="campaigns.look_for_record")
def look_for_record(key_id: int) -> None:
    rotate_keys.look(key_id)


@shared_task(name="campaigns.run_probe")
def run_probe(probe_id: int) -> None:
    probe.run(probe_id)


@shared_task(name="campaigns.fetch_token")
def fetch_token(login_id: int) -> None:
    oauth.run(login_id)


@shared_task(name="campaigns.watch_alerts")
def watch_alerts() -> None:
    """What is told goes out with the next tick."""
    alert_watch.watch()


@shared_task(name="campaigns.tell_alerts")
def tell_alerts() -> None:
    alerts.queue_due()
    for channel_id in alert_tell.waiting():
        tell_channel.delay(channel_id)


@shared_task(name="campaigns.tell_channel")
def tell_channel(channel_id: int) -> None:
    alert_tell.tell(channel_id)


@worker_shutting_down.connect
def stop_batches(**_rest: Any) -> None:
    """SIGTERM: Celery waits for what runs, and a batch ends after its message in flight."""
    _shutting_down.set()


_BY_KIND = {
    "tick": tick,
    "read_workbook": read_workbook,
    "read_enclosures": read_enclosures,
    "read_events": read_events,
    "import_contacts": import_list,
    "import_suppressions": import_suppressed,
    "unfold_rows": unfold_rows,
    "return_workbook": make_returned_workbook,
    "sum_columns": sum_columns,
    "compare_months": compare_months,
    "run_probe": run_probe,
    "check_domain": check_domain,
    "tell_alerts": tell_alerts,
    "tell_channel": tell_channel,
    "fetch_token": fetch_token,
    "apply_bounce_rule": apply_bounce_rule,
    "look_for_record": look_for_record,
}


@receiver(work_waiting)
def nudge(sender: Any, kind: str, id: int | None, **_rest: Any) -> None:
    """Work starts a moment earlier than the next tick; nothing depends on it.

    A broker that is away must not break the page that announced the work, nor keep it waiting.
    """
    try:
        _BY_KIND[kind].apply_async([] if id is None else [id], retry=False)
    except BrokerError:
        log.warning("The broker is away: the next tick after its return does the work.")
