"""The words by which Chinese and English workbooks say what a column or a row is."""

from __future__ import annotations

import re

#: How the heads of the columns begin that we add to HR's own file (annotate.py); never read back.
OWN_COLUMN = "鸿雁·"
#: Letters, kana and hangul apart, what counts as Chinese beside a blank: ideographs, full-width signs.
_CJK = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60\u3000-\u303f"
_BREAK_IN_WORDS = re.compile(r"(?<=[A-Za-z0-9])[^\S\n]*\n\s*(?=[A-Za-z0-9])")
_BREAK = re.compile(r"[^\S\n]*\n\s*")
_BLANK_IN_CHINESE = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])")
#: Nobody names a column longer; it also bounds the expressions above.
_LONGEST_NAME = 500
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufeff]")

_ADDRESS = re.compile(r"邮箱|郵箱|邮件|郵件|电邮|電郵|信箱|e-?mail|\bmail\b", re.I)
_NOT_ADDRESS = re.compile(
    r"状态|狀態|密码|密碼|是否|时间|時間|标题|主题|内容|编号|邮编|日期|status|subject|sent", re.I
)
_SECOND_ADDRESS = re.compile(
    r"备用|備用|抄送|上级|主管|领导|经理|负责人|紧急|发件|发送|发信|\bcc\b|backup|manager|secondary",
    re.I,
)
_NAME = ("姓名", "员工姓名", "職員姓名", "名字", "收件人", "员工", "name", "fullname", "员工名称", "联系人",
         "employeename", "employee", "recipient", "称呼")  # fmt: skip
_HEADER = re.compile(
    r"序号|工号|编号|姓名|名字|部门|職位|职位|岗位|工资|薪|实发|应发|奖金|补贴|津贴|绩效|社保|公积金|个税|扣款|"
    r"公司|单位|电话|手机|身份证|银行|卡号|日期|备注|name|dept|department|salary|phone|\bid\b|company|amount",
    re.I,
)
_META = re.compile(
    r"[:：]|^单位|^金额单位|日期|制表|编制|填报|期间|第.{1,4}页|\d{4}\s*[年./-]\s*\d{1,2}|^\d{1,2}月|所属期|通知|@"
)
_PARENT = re.compile(
    r"项|应发|应扣|扣|收入|补贴|津贴|社保|保险|公积金|信息|部分|考勤|个人|公司|工资|合计"
)
_TOTAL = re.compile(
    r"^.{0,8}(?:合计|总计|合計|總計|共计)(?:[\d,.]*人?|[:：(（].*)$|^(?:总共|累计|总和|汇总|grandtotal|total|sum)[\d,.]*$|^共\d+人$",
    re.I,
)
_SUBTOTAL = re.compile(
    r"^.{0,12}(?:小计|小計)(?:[\d,.]*人?|[:：(（].*)$|^sub-?total|subtotal$", re.I
)
_SIGNATURE = re.compile(
    r"^(?:制表|制单|製表|填表|编制|审核|審核|复核|审批|批准|核准|经办|出纳|会计|主管签字|领导签字|总经理|财务负责人|"
    r"负责人签|签字|签名|签章|盖章|单位负责人|部门负责人|人事经理|preparedby|approvedby|reviewedby)"
)
_STATISTIC = re.compile(r"^(?:人数|平均|平均值|均值|平均工资|最高|最低|average|count)$", re.I)
#: A department on a line of its own, above its people.
_GROUP = re.compile(
    r"(?:部|部门|组|中心|科|处|室|公司|厂|店|车间|班|团队|事业部|department|team)$", re.I
)
_NOTE = re.compile(
    r"^(?:备注|備註|注|註|附注|说明|說明|注意|提示|温馨提示|填表说明|声明|打印日期|打印时间|制表日期|日期|导出时间|"
    r"以上|以下|本表|note|notes|remark|remarks|ps|p\.s)(?:$|[:：\d一（(.,，。]|.*[。；])|^[*※★●]",
    re.I,
)

#: A sign that every word above has one of; most names have none.
_IN_A_LABEL = re.compile(
    r"[计計总總共累汇制製填编审審复批核经出会主领签盖单负部人平均最備备註注附说說明提温声打日导以本*※★●]|"
    r"total|sum|note|mar|p\.?s|prep|app|rev|cou|ave|low|high",
    re.I,
)


def tidy(text: str) -> str:
    """A column's name: no line breaks, no blanks between Chinese characters, else one blank."""
    text = _INVISIBLE.sub(
        "", text[:_LONGEST_NAME].replace("\r\n", "\n").replace("\r", "\n")
    ).strip()
    text = _BREAK.sub("", _BREAK_IN_WORDS.sub(" ", text))
    return re.sub(r"\s+", " ", _BLANK_IN_CHINESE.sub("", text)).strip()


def compact(text: str) -> str:
    """A text without any blanks, for comparing with words."""
    if text.isprintable():  # neither line breaks nor invisible signs
        return text.replace(" ", "")
    return re.sub(r"\s+", "", _INVISIBLE.sub("", text))


def is_address_header(text: str) -> bool:
    text = tidy(text)
    if not 0 < len(text) <= 24 or "@" in text or re.search(r"[:：。；，]", text):
        return False
    return bool(_ADDRESS.search(text)) and not _NOT_ADDRESS.search(text)


def is_second_address(text: str) -> bool:
    """A mailbox of somebody else, or a spare one."""
    return bool(_SECOND_ADDRESS.search(text))


def name_rank(text: str) -> int | None:
    """How well a header names the person: 0 is best, None not at all."""
    leaf = re.sub(r"[*（(].*$|\*", "", compact(text)).lower().rpartition("/")[2].strip()
    if leaf in _NAME:
        return _NAME.index(leaf)
    return len(_NAME) if leaf.endswith("姓名") and len(leaf) <= 6 else None


def is_header_word(text: str) -> bool:
    return len(text) <= 24 and bool(_HEADER.search(text) or is_address_header(text))


def is_meta(text: str) -> bool:
    """What stands between title and header: unit, date, period, maker."""
    return bool(_META.search(text)) or len(text) > 24


def is_group_heading(text: str) -> bool:
    return len(compact(text)) <= 20 and bool(_GROUP.search(compact(text).rstrip(":：")))


def is_plain_address_header(text: str) -> bool:
    """Just the mailbox, without saying whose or which of several."""
    return bool(
        re.fullmatch(
            r"(?:电子)?(?:邮箱|邮件|信箱)(?:地址|账号)?|e-?mail(?: ?address)?", tidy(text), re.I
        )
    )


def is_summable(text: str) -> bool:
    """False for columns whose numbers are names of things: IDs, phones, dates."""
    return not _NOT_SUMMABLE.search(text)


def is_parent_word(text: str) -> bool:
    return len(text) <= 10 and bool(_PARENT.search(text))


def row_kind(text: str) -> str | None:
    """What a row is by the text of one of its cells: total, subtotal, signature, note or None."""
    if text.isalnum() and len(text) < _LONGEST_NAME and not _IN_A_LABEL.search(text):
        return None
    whole = compact(text[:_LONGEST_NAME])
    if not _IN_A_LABEL.search(whole):
        return None
    word = whole.rstrip(":：")
    if len(word) <= 16 and _SUBTOTAL.search(word):
        return "subtotal"
    if len(word) <= 16 and _TOTAL.search(word):
        return "total"
    if _SIGNATURE.match(word):
        return "signature"
    return "note" if _NOTE.match(whole) or _STATISTIC.match(word) else None


_NOT_SUMMABLE = re.compile(
    r"号|序|编|电话|手机|日期|时间|年|月份|证|卡|率|系数|phone|date|time|\bid\b|\bno\b", re.I
)
#: What columns other than address and name are for: role → pattern, for the suggested mapping.
ROLES = {
    "number": re.compile(
        r"工号|员工编号|职工号|人员编号|staff\s*(?:no|id)|employee\s*(?:no|id)", re.I
    ),
    "id": re.compile(r"身份证|证件号", re.I),
    "phone": re.compile(r"手机|电话|联系方式|phone|mobile", re.I),
    "department": re.compile(r"部门|部門|department|dept", re.I),
    "net": re.compile(r"实发|实领|net\s*pay", re.I),
}
