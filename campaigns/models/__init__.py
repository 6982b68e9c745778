"""What is remembered: workbooks, contacts, templates, campaigns, deliveries and what comes back."""

from campaigns.models.alert import Alert, AlertChannel, AlertTelling, Heartbeat
from campaigns.models.campaign import Campaign, CampaignCount, Release
from campaigns.models.carrying import CampaignEvent, CampaignRelay, DeliveryEvent
from campaigns.models.comparison import Comparison
from campaigns.models.confirmation import Confirmation
from campaigns.models.contact import Contact, ContactList, ListMember
from campaigns.models.content import ContentGrant, DataKey
from campaigns.models.delivery import Attempt, Claim, Delivery
from campaigns.models.domain_check import DomainCheck
from campaigns.models.enclosure import Enclosure, EnclosureArchive
from campaigns.models.feedback import Feedback, MaildropMessage, Suppression
from campaigns.models.held_suppression import HeldSuppression
from campaigns.models.hit import Hit, HitCount, RecipientHit
from campaigns.models.installation import Installation
from campaigns.models.layout import PayslipLayout
from campaigns.models.original import BounceRule, Original
from campaigns.models.probe import Probe
from campaigns.models.recipient_domain import DomainLimit, DomainPark
from campaigns.models.reply_rule import RelayPark, ReplyRule, ShippedRuleOff
from campaigns.models.returned import ReturnedWorkbook
from campaigns.models.sending_hours import SendingHours
from campaigns.models.stop import CampaignStop
from campaigns.models.subscribing import SubscribeForm, SubscriptionProof
from campaigns.models.suppression_import import SuppressionImport
from campaigns.models.template import MessageTemplate
from campaigns.models.warm_up import WarmUp
from campaigns.models.webhook import Webhook, WebhookEvent
from campaigns.models.workbook import Workbook, WorkbookBlock, WorkbookFile, WorkbookRow

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertTelling",
    "Attempt",
    "BounceRule",
    "Campaign",
    "CampaignCount",
    "CampaignEvent",
    "CampaignRelay",
    "CampaignStop",
    "Claim",
    "Comparison",
    "Confirmation",
    "Contact",
    "ContactList",
    "ContentGrant",
    "DataKey",
    "Delivery",
    "DeliveryEvent",
    "DomainCheck",
    "DomainLimit",
    "DomainPark",
    "Enclosure",
    "EnclosureArchive",
    "Feedback",
    "Heartbeat",
    "HeldSuppression",
    "Hit",
    "HitCount",
    "Installation",
    "ListMember",
    "MaildropMessage",
    "MessageTemplate",
    "Original",
    "PayslipLayout",
    "Probe",
    "RecipientHit",
    "RelayPark",
    "Release",
    "ReplyRule",
    "ReturnedWorkbook",
    "SendingHours",
    "ShippedRuleOff",
    "SubscribeForm",
    "SubscriptionProof",
    "Suppression",
    "SuppressionImport",
    "WarmUp",
    "Webhook",
    "WebhookEvent",
    "Workbook",
    "WorkbookBlock",
    "WorkbookFile",
    "WorkbookRow",
]
