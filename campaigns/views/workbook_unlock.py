"""The password of a protected workbook: asked for on its page, used once, kept nowhere."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST

from campaigns.forms.workbook import PasswordForm
from campaigns.pipeline import unlock
from campaigns.problem_texts import reject_sentence
from campaigns.views.workbook import find_own, page, show


@sensitive_post_parameters()
@sensitive_variables()
@page
@require_POST
def workbook_unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """A wrong password is asked for again; nothing was lost by it."""
    workbook = find_own(request, pk)
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            if not unlock.unlock(workbook, form.cleaned_data["password"], request.user):
                messages.error(request, _("这个工作簿不需要密码，或已经有人打开了它。"))
            return redirect("campaigns:workbook", pk)
        except unlock.NotUnlocked as refused:
            form.add_error("password", _words(refused))
        except unlock.TooManyTries:
            minutes = int(unlock.WINDOW.total_seconds() // 60)
            form.add_error(
                "password",
                _("密码错误的次数过多，请 %(minutes)d 分钟后再试。") % {"minutes": minutes},
            )
    return show(request, workbook, unlocking=form)


def _words(refused: unlock.NotUnlocked) -> str:
    if refused.is_wrong:
        return _("密码不对，请再试一次。文件还在，什么也没有丢。")
    rejected = refused.rejected
    return reject_sentence(str(rejected.kind), rejected.detail, rejected.sentence)
