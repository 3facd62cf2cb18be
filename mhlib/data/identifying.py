"""What in a raw extract points at one person: by a column's name, or by what stands in it."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

import pandas as pd

# Names of columns that are dropped unless they are asked for; "school name" and "father's schooling" are not among them.
DIRECT = re.compile(
    r"姓名|名字$|曾用名|电话|手机号|手机$|联系方式|身份证|证件号|学籍号|住址|地址|微信|邮箱|银行卡|护照|^qq号?$|^班主任$|^辅导员$"
    r"|出生(日期|年月|时间)|^生日$"
    r"|^(sur)?names?$|(first|last|family|given|full|pupil|student|child|parent|guardian|mother|father|teacher)[ _]?name$"
    r"|phone|mobile|e-?mail|address|passport|wechat|id[ _]?card|national[ _]?id|birth[ _]?(date|day)|date[ _]of[ _]birth"
    r"|^birth$|^dob$",
    re.IGNORECASE,
)
CARD = re.compile(r"(?<![\d.])\d{17}[\dXx](?!\d)")
PHONE = re.compile(r"(?<![\d.])1[3-9]\d{9}(?!\d)")
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
NOT_PROSE = re.compile(r"[\d\s:/.,\-+TZ年月日时分秒%]*")
PERSON = re.compile(r"[\u4e00-\u9fff]{2,4}")
SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆"
    "范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤岑施励华俞毕柴胥阮戚虞"
)
# Characters that make a text long; long texts standing once that make a column prose; names that make a column names.
LONG, OFTEN, FEW_NAMES, SHARE_OF_NAMES = 10, 20, 8, 0.8
# Distinct days that make a column one of births, and the ages between which pupils are.
MANY_DAYS, YOUNGEST, ELDEST = 30, 4, 25
DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})(?:[-/.月]?(\d{1,2}))?[日月]?(?:[ T].*)?")


def day_of(text: str) -> date | None:
    """The day in a text, as 2012-03-05, 2012/3/5, 20120305 or 2012年3月5日; a month counts as its first day."""
    found = DAY.fullmatch(text.removesuffix(".0"))
    try:
        return date(int(found[1]), int(found[2]), int(found[3] or 1)) if found else None
    except ValueError:
        return None


def look_like_births(values: pd.Series, as_of: date) -> bool:
    """Whether a column holds many different days, nearly all of them, on which pupils would have been born."""
    texts = values.dropna().astype(str).str.normalize("NFKC").str.strip()
    days = {text: day_of(text) for text in texts.unique() if text and DAY.fullmatch(text.removesuffix(".0"))}
    years = {text: (as_of - day).days / 365.25 for text, day in days.items() if day is not None}
    likely = texts.map(lambda text: YOUNGEST <= years.get(text, -1) <= ELDEST)
    return len(years) >= MANY_DAYS and bool(likely.mean() >= SHARE_OF_NAMES)


def is_direct(column: str) -> bool:
    """Whether a column's name says that it holds a name, an address, a number of a person, or a day of birth."""
    return DIRECT.search(unicodedata.normalize("NFKC", column).strip()) is not None


def identifying_values(values: pd.Series) -> str:
    """What the values of a column are that no extract may hold: in words, empty where they are nothing of the kind.

    Identity cards (with a right check digit), mobile numbers and addresses of e-mail count from the first one; names
    where most distinct values are two to four characters that begin with a common surname; free text where many long
    texts stand once.
    """
    texts = values.dropna().astype(str).str.normalize("NFKC").str.strip()
    counts = texts[texts != ""].value_counts()
    distinct = counts.index.tolist()
    if any(_is_card(found) for text in distinct for found in CARD.findall(text)):
        return "numbers of identity cards"
    if any(PHONE.search(text) for text in distinct):
        return "numbers of mobile telephones"
    if any(MAIL.search(text) for text in distinct):
        return "addresses of e-mail"
    if _are_names(distinct):
        return "names of persons"
    once = [text for text in counts.index[counts == 1] if len(text) >= LONG and not NOT_PROSE.fullmatch(text)]
    return "free text" if len(once) > max(2, min(OFTEN, len(values) // 10)) else ""


def _are_names(distinct: list[str]) -> bool:
    alike = [text for text in distinct if PERSON.fullmatch(text) and text[0] in SURNAMES]
    return len(alike) >= FEW_NAMES and len(alike) >= SHARE_OF_NAMES * len(distinct)


def _is_card(number: str) -> bool:
    """Whether the last character is the check digit of GB 11643."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    rest = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11
    return "10X98765432"[rest] == number[-1].upper()
