"""Contact, ContactList, ListMember: a person's address and attributes; a named set of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Team
from campaigns.models.plainly_loaded import PlainlyLoaded


class Contact(PlainlyLoaded, models.Model):
    """`address_key` is the address in lower case with its domain as A-labels: one contact a team.

    Written by the hundred thousand: the writer of many locks the team instead of having the database
    look for it with each row (ADR 19). Who deletes one locks it first (`locked`).
    """

    team = models.ForeignKey(
        Team, models.CASCADE, related_name="contacts", db_index=False, db_constraint=False
    )
    address = models.CharField(_("邮箱"), max_length=320)
    address_key = models.CharField(max_length=320)
    name = models.CharField(_("姓名"), max_length=200, blank=True)
    attributes = models.JSONField(_("属性"), default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "address_key"], name="contact_once_per_team")
        ]

    def __str__(self) -> str:
        return self.address

    @classmethod
    def locked(cls) -> models.QuerySet[Contact]:
        """For whoever deletes one or makes it a member: no membership outlives its contact."""
        return cls.objects.select_for_update(of=("self",))


class ContactList(models.Model):
    """A named set of contacts, which a newsletter is sent to."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="contact_lists")
    name = models.CharField(_("名称"), max_length=100)
    # Offered on the page where recipients choose for themselves what they get.
    public = models.BooleanField(_("收件人可以自选"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    contacts: models.ManyToManyField = models.ManyToManyField(
        Contact, through="ListMember", related_name="lists"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="list_name_once")]

    def __str__(self) -> str:
        return self.name


class MemberStatus(models.TextChoices):
    SUBSCRIBED = "subscribed", _("已订阅")
    UNSUBSCRIBED = "unsubscribed", _("已退订")


class ListMember(models.Model):
    """A contact in a list. An unsubscribed one stays, so that an import cannot bring it back.

    Written by the hundred thousand: the writer locks the list and the contacts instead of having the
    database look for them with each row (ADR 19).
    """

    team = models.ForeignKey(
        Team, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    contact_list = models.ForeignKey(
        ContactList, models.CASCADE, related_name="members", db_index=False, db_constraint=False
    )
    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="memberships", db_constraint=False
    )
    status = models.CharField(
        max_length=15, choices=MemberStatus.choices, default=MemberStatus.SUBSCRIBED
    )
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact_list", "contact"], name="list_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.contact_list_id}:{self.contact_id}"
