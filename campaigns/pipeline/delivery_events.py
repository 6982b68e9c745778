"""What was done to deliveries from outside a batch (moved, tried again), readable on each one's page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from campaigns.models import CampaignEvent, Delivery, DeliveryEvent


def note(event: CampaignEvent, rows: Iterable[Delivery], at: datetime) -> None:
    """One line for each delivery, with the state that it had before."""
    DeliveryEvent.objects.bulk_create(
        [
            DeliveryEvent(
                team_id=row.team_id,
                delivery=row,
                event=event,
                state=row.state,
                reason=row.reason,
                detail=row.detail,
                at=at,
            )
            for row in rows
        ],
        batch_size=500,
    )
