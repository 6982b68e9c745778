"""What a newsletter's links become: counted ones, and ones that carry UTM parameters; most campaigns' stay as they are.

Never a payslip's, whatever its row says. A test's links work and are counted nowhere.
"""

from __future__ import annotations

import secrets

from campaigns.mailer.link_marks import LinkMarks, Made
from campaigns.mailer.template import Rendered, Renderer, TemplateSource
from campaigns.mailer.tracked_links import TrackedLinks, trackable
from campaigns.mailer.utm import with_utm
from campaigns.models import Campaign, Delivery
from campaigns.models.delivery import DeliveryPurpose
from campaigns.models.tracking import Tracking

# A target that is the same for all is asked about once; of merge fields come as many as recipients.
_REMEMBERED = 200


class Tracker:
    """One campaign's links. With `shown` it is a preview, whose links lead straight to their targets."""

    def __init__(self, campaign: Campaign, links: TrackedLinks, *, shown: bool = False) -> None:
        self._campaign, self._links = campaign, links
        self._counts = bool(campaign.tracking) and not shown
        self._utm = dict(campaign.utm)
        self._domains = tuple(self._utm.get("domains", ()))
        self._targets: dict[str, tuple[str, bool]] = {}
        self.marks = LinkMarks(secrets.token_hex(6), picture=self._counts)

    def finished(self, rendered: Rendered, delivery: Delivery) -> Rendered:
        """The message with this delivery's links."""
        html, text = self.marks.replaced(rendered.html, rendered.text, self._made(delivery))
        return Rendered(rendered.subject, html, text)

    def _made(self, delivery: Delivery) -> Made:
        counted = delivery.pk is not None and delivery.purpose != DeliveryPurpose.TEST
        campaign = (self._campaign.pk or 0) if counted else 0
        named = counted and self._campaign.tracking == Tracking.INDIVIDUAL
        recipient = (delivery.pk or 0) if named else 0
        known: dict[tuple[int, str], str] = {}

        def made(number: int, target: str) -> str:
            if not number:
                return self._links.opened(campaign, recipient)
            if (number, target) not in known:
                address, may_count = self._target(target)
                known[number, target] = (
                    self._links.click(campaign, recipient, number, address)
                    if may_count
                    else address
                )
            return known[number, target]

        return made

    def _target(self, target: str) -> tuple[str, bool]:
        """With its UTM parameters; and whether it may be counted."""
        found = self._targets.get(target)
        if found is None:
            written = None if self._links.is_own(target) else trackable(target)
            if written is None:
                found = target, False
            elif self._counts:
                found = with_utm(written, self._utm, self._domains), True
            else:
                found = with_utm(target, self._utm, self._domains), False
            if len(self._targets) < _REMEMBERED:
                self._targets[target] = found
        return found


def tracker_of(campaign: Campaign, links: TrackedLinks, *, shown: bool = False) -> Tracker | None:
    """None for a payslip, and where nothing is counted and nothing added."""
    if campaign.is_payslip or not (campaign.tracking or campaign.utm):
        return None
    return Tracker(campaign, links, shown=shown)


def targets_of(campaign: Campaign, source: TemplateSource) -> list[str]:
    """The targets of a newsletter's counted links as its template writes them; link 1 is the first."""
    if campaign.is_payslip or not campaign.tracking:
        return []
    return marked(source).targets


def marked(source: TemplateSource) -> LinkMarks:
    """The links of a template; raises TemplateFaults."""
    marks = LinkMarks(secrets.token_hex(6), picture=False)
    Renderer(source, mark=marks.mark)
    return marks
