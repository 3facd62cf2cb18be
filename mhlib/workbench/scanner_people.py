"""What in a text or table looks like a person: numbers with their checksums, names beside their label, birth dates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import date

# Hundred and some surnames of nineteen in twenty Chinese people; two-sign surnames last.
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蔡蒋余于杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏"
    "韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤俞章鲁葛岑虞柴裘楼竺励应翁施童华洪"
)
DOUBLE = "欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯"
CHINESE_NAME = rf"(?:{DOUBLE}|[{SURNAMES}])[\u4e00-\u9fa5]{{1,2}}"
LATIN_NAME = (
    r"(?:Wang|Li|Zhang|Liu|Chen|Yang|Huang|Zhao|Wu|Zhou|Xu|Sun|Ma|Zhu|Hu|Guo|He|Lin|Luo|Gao|Zheng|Liang|Xie|Song|Tang|Han|"
    r"Feng|Deng|Cao|Peng|Zeng|Xiao|Tian|Dong|Yuan|Pan|Cai|Jiang|Yu|Du|Ye|Cheng|Su|Wei|Lu|Ding|Ren|Shen|Yao|Fang),? "
    r"[A-Z][a-z]+(?:[- ]?[A-Za-z][a-z]+)?"
)
NAME = re.compile(rf"(?:{CHINESE_NAME}|{LATIN_NAME})")
NAME_HEADER = re.compile(
    r"姓名|名字|^学生$|^教师$|^老师$|^家长$|^(?:full |pupil |pupil's |student |teacher )?name$", re.IGNORECASE
)
CALLED = re.compile(
    r"(?:姓名|名字|班主任|家长|\b(?:pupil|student|teacher|full)[ _]name|\bname)[\"'”」]?\s*[:=：为是,\t]\s*[\"'“「]?"
    rf"({CHINESE_NAME}(?![\u4e00-\u9fa5])|{LATIN_NAME})",
    re.IGNORECASE,
)
PERSON_HEADER = re.compile(
    r"^(?:pupil|student|teacher|household|person|mentor|case)_?(?:pid|id|no|number)$|^(?:pupil|student|teacher) (?:id|number)$"
    r"|学号|学籍号|工号|身份证|pid$",
    re.IGNORECASE,
)
CODE = re.compile(r"(?=(?:\D*\d){3})[A-Za-z0-9_-]{4,40}")
# The city's own pseudonyms (a letter and seven figures) and keyed ones (128 bits in hexadecimal).
PSEUDONYM = re.compile(r"(?<![A-Za-z0-9])(?:[A-Z]\d{7}|(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{32})(?![A-Za-z0-9])")
PHONE = re.compile(r"(?<![\w.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![\w.])")
ID_CARD = re.compile(r"(?<![\w.])(\d{6})[- ]?((?:19|20)\d{6})[- ]?(\d{3}[\dXx])(?!\w)")
WEIGHTS, CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"
DATE = re.compile(r"(?<![\w./-])(19\d\d|20\d\d)(?:[-/.年])(\d{1,2})(?:[-/.月])(\d{1,2})日?(?![\w/-]|\.\d)")
BORN = re.compile(
    r"(?:出生(?:日期|年月|于)?|生日|\bbirth(?:day|[ _]?date)?|\bborn(?: on)?|\bdob|\bdate of birth)[\"'”]?\s*[:=：为是,]?\s*[\"'“]?"
    r"((?:19|20)\d\d[-/.年]?(?:0[1-9]|1[0-2]|[1-9](?!\d))[-/.月]?(?:\d{1,2}日?)?)",
    re.IGNORECASE,
)
BIRTH_HEADER = re.compile(r"出生|生日|^birth|^dob$|date of birth", re.IGNORECASE)
BIRTH_CELL = re.compile(r"(?:19|20)\d\d[-/.年]?(?:0?[1-9]|1[0-2])(?:[-/.月]?\d{0,2}日?)(?: 00:00:00)?")
# No wave of a report lies as far back as a pupil's birth.
YOUNGEST = 5
USER_FOLDER = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[^/\\\s\"'<>]+[/\\]")


def in_text(text: str, *, as_of: date, allowed: Collection[str] = ()) -> Iterator[tuple[str, int]]:
    """Kind and place of whatever in a text looks like a person.

    Parameters
    ----------
    as_of : date
        Day of the report; a full date five or more years before it is taken for a birth date.
    allowed : collection of str
        Dates of the parameter file, in ISO form, which are no one's.
    """
    for kind, pattern in (("phone", PHONE), ("pseudonym", PSEUDONYM), ("name", CALLED), ("user_folder", USER_FOLDER)):
        for found in pattern.finditer(text):
            yield kind, found.start()
    for found in ID_CARD.finditer(text):
        if is_id_card("".join(found.groups())):
            yield "id_card", found.start()
    born = {found.start(1) for found in BORN.finditer(text)}
    for start in born:
        yield "birth_date", start
    for found in DATE.finditer(text):
        day = _day(*found.groups())
        if day and found.start() not in born and day.isoformat() not in allowed and _long_ago(day, as_of):
            yield "birth_date", found.start()


def is_id_card(number: str) -> bool:
    """Whether 18 signs are a citizen's number: a real day of birth and the right last sign (GB 11643-1999)."""
    number = number.upper()
    if _day(number[6:10], number[10:12], number[12:14]) is None:
        return False
    return CHECKS[sum(int(digit) * weight for digit, weight in zip(number, WEIGHTS, strict=False)) % 11] == number[17]


def in_table(headers: Collection[str], rows: Collection[Collection[str]]) -> Iterator[tuple[str, int, int]]:
    """Kind, row and column (from 1) of cells that look like a person's under a header that says so."""
    rules = [(kind, header, cell) for kind, header, cell in
             (("name", NAME_HEADER, NAME), ("pseudonym", PERSON_HEADER, CODE), ("birth_date", BIRTH_HEADER, BIRTH_CELL))]  # fmt: skip
    for column, name in enumerate(headers, start=1):
        for kind, header, cell in rules:
            if not header.search(name.strip()):
                continue
            for at, row in enumerate(rows, start=1):
                if len(row) >= column and cell.fullmatch(unicodedata.normalize("NFKC", row[column - 1]).strip()):
                    yield kind, at, column


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _long_ago(day: date, as_of: date) -> bool:
    return YOUNGEST <= (as_of - day).days / 365.25 <= 90
