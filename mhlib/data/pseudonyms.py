"""From a raw extract to one without names: keyed pseudonyms, age bands for birth dates, and nothing that points at one.

A pseudonym is the keyed BLAKE2b of a person's number. Without the key it cannot be made from the number, whoever knows
all numbers of the city; with it the same person gets the same pseudonym in every file. A new key gives new pseudonyms
for all: there is no table from old to new, since it would undo both. To change the key, ingest the raw files anew.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from mhlib.data.identifying import day_of, identifying_values, is_direct, look_like_births
from mhlib.errors import DataError, ParamsError

KEY_VARIABLE = "MHLIB_KEY"
LEAST_KEY, LONGEST_KEY, LEAST_DISTINCT = 32, 64, 16
HOW_TO_MAKE = "make one: (umask 077; openssl rand -hex 32 > FILE)"
# 14 is the age below which all data of a child are sensitive (PIPL 28); each bound begins a band.
BANDS = (0, 6, 9, 12, 14, 16, 18)
OLDEST = 100
# A spreadsheet keeps 15 digits of a number, and shows 6 of one with 12 or more.
EXACT_DIGITS, SHOWN_WHOLE, SHOWN_DIGITS = 15, 11, 6
WHOLE = re.compile(r"\+?(\d+)(\.0*)?")
SCIENTIFIC = re.compile(r"(\d)(?:\.(\d+))?E(\+?)(\d+)")
JOINED = "\x1f"
INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")


@dataclass(frozen=True, slots=True)
class PseudonymColumn:
    """What became of one column of numbers of persons.

    Attributes
    ----------
    n_distinct : int
        Pseudonyms.
    n_missing : int
        Rows without a number; they stay without a pseudonym.
    n_rewritten : int
        Persons whose number was written in more than one way (a leading zero lost, read as a float) and now agrees.
    n_repeated : int
        Rows beyond the first of their person.
    """

    n_distinct: int
    n_missing: int
    n_rewritten: int
    n_repeated: int


@dataclass(frozen=True, slots=True)
class PseudonymisedResult:
    """An extract that holds no name, and what was done to it.

    Attributes
    ----------
    frame : DataFrame
        Sorted by the first pseudonym, so that the order of a class list is gone.
    columns : dict of str to PseudonymColumn
    dropped : tuple of str
        Columns left out, asked for or by their names.
    n_rows : int
    n_equal_rows : int
        Rows that repeat another one in every column; they are kept.
    n_birth_unreadable, n_birth_outside : int
        Birth dates that are no day, or give an age below 0 or above 100; their band is missing.
    """

    frame: pd.DataFrame
    columns: Mapping[str, PseudonymColumn]
    dropped: tuple[str, ...]
    n_rows: int
    n_equal_rows: int
    n_birth_unreadable: int
    n_birth_outside: int

    def to_frame(self) -> pd.DataFrame:
        """One row a thing done: `what`, `column`, `n`."""
        rows = [("rows", "", self.n_rows), ("rows equal in every column", "", self.n_equal_rows)]
        for name, one in self.columns.items():
            rows += [("distinct numbers", name, one.n_distinct), ("rows without a number", name, one.n_missing),
                     ("numbers written in several ways", name, one.n_rewritten)]  # fmt: skip
            rows += [("rows beyond a person's first", name, one.n_repeated)] if name == next(iter(self.columns)) else []
        rows += [("birth dates that are no day", "", self.n_birth_unreadable),
                 ("birth dates outside 0-100 years", "", self.n_birth_outside)]  # fmt: skip
        rows += [("dropped", name, self.n_rows) for name in self.dropped]
        return pd.DataFrame(rows, columns=["what", "column", "n"])


def read_key(path: Path | None = None, *, environment: Mapping[str, str] | None = None) -> bytes:
    """The key, from a file that only its owner can read, else from MHLIB_KEY; 32 to 64 bytes in hexadecimal.

    Raises
    ------
    ParamsError
        If there is none, others can read the file, or the key is short, not hexadecimal or plainly not random. The
        message never holds a part of it.
    """
    if path is None:
        text = (os.environ if environment is None else environment).get(KEY_VARIABLE, "")
        if not text:
            raise ParamsError("key", "there is none", allowed=f"--key FILE, or {KEY_VARIABLE}", remedy=HOW_TO_MAKE)
        return _checked_key(text, KEY_VARIABLE)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise ParamsError(path.name, "the key is no plain file", remedy=HOW_TO_MAKE)
            if mode & 0o077:
                raise ParamsError(path.name, f"others can open the key (mode {stat.S_IMODE(mode):04o})", allowed="mode 0600",
                                  remedy="chmod 600, and make a new key if somebody may have read it")  # fmt: skip
            text = stream.read(4 * LONGEST_KEY).decode("ascii", "replace")
    except OSError as error:
        raise ParamsError(path.name, f"the key cannot be read ({error.strerror})", remedy=HOW_TO_MAKE) from None
    return _checked_key(text, path.name)


def _checked_key(text: str, where: str) -> bytes:
    allowed = f"{LEAST_KEY} to {LONGEST_KEY} random bytes in hexadecimal"
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        raise ParamsError(where, "the key is not hexadecimal", allowed=allowed, remedy=HOW_TO_MAKE) from None
    if not LEAST_KEY <= len(key) <= LONGEST_KEY:
        raise ParamsError(where, f"the key has {len(key)} bytes", allowed=allowed, remedy=HOW_TO_MAKE)
    if len(set(key)) < LEAST_DISTINCT:
        raise ParamsError(where, "the key repeats itself", allowed=allowed, remedy=HOW_TO_MAKE)
    return key


def normalised_identifier(value: object) -> str | None:
    """A person's number in the one way in which it is hashed; None where it was rounded and is lost.

    Wide characters, spaces and invisible signs go; letters become capitals; of a number read as a float the zero after
    the point goes, and leading zeros go from every number, since a float has lost them. `0020250001`, `20250001.0` and
    `2.0250001E7` are one. Of more than 15 digits a float or spreadsheet keeps the first 15: such a number is lost.

    Examples
    --------
    >>> normalised_identifier("0020250001") == normalised_identifier(20250001.0) == "20250001"
    True
    >>> normalised_identifier("3.30282E+17") is None
    True
    """
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", str(value))).strip("='\"").upper()
    if found := WHOLE.fullmatch(text):
        digits = found[1].lstrip("0") or "0"
        beyond = digits[EXACT_DIGITS:]
        return None if beyond and (found[2] or not beyond.strip("0")) else digits
    found = SCIENTIFIC.fullmatch(text)
    if not found or not (found[2] or found[3]):
        return text
    fraction, power = (found[2] or "").rstrip("0"), int(found[4])
    shown = power >= SHOWN_WHOLE and len(fraction) < SHOWN_DIGITS
    if power >= EXACT_DIGITS or shown or len(fraction) > power:
        return None
    return found[1] + fraction + "0" * (power - len(fraction))


def pseudonym(identifier: str, key: bytes, *, domain: str = "") -> str:
    """The pseudonym of a normalised identifier: `p` and 32 hexadecimal digits.

    Parameters
    ----------
    identifier : str
    key : bytes, 32 to 64 long
    domain : str, optional
        Another domain gives other pseudonyms, so that two extracts cannot be joined.

    Notes
    -----
    Keyed BLAKE2b with 16 bytes (RFC 7693; Aumasson et al. 2013).
    """
    text = f"{domain}\0{identifier}".encode()
    return "p" + hashlib.blake2b(text, key=key, digest_size=16, person=b"mhlib pseudonym").hexdigest()


def pseudonymise(
    frame: pd.DataFrame,
    key: bytes,
    *,
    columns: Sequence[str],
    birth: str | None = None,
    as_of: date | None = None,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    domain: str = "",
    where: str = "extract",
) -> PseudonymisedResult:
    """An extract with pseudonyms for numbers of persons, an age band for the birth date, and without what names one.

    Parameters
    ----------
    frame : DataFrame
        As :func:`mhlib.data.readers.read_file` gives it.
    key : bytes
    columns : sequence of str
        Columns of numbers of persons (or schools), the pupil's first; `new=old` renames, `new=school+number` puts
        together what is unique only within a school.
    birth : str, optional
        Column of birth dates; becomes `age_band` at `as_of`.
    drop : sequence of str
        Columns to leave out, besides those whose names say that they identify.
    keep : sequence of str
        Columns to keep though their name or their text looks identifying; not where both do, and never numbers of
        identity cards or telephones, or addresses of e-mail.
    where : str
        The file, for errors.

    Raises
    ------
    ParamsError
        If a column is named for two things, or `as_of` is lacking.
    DataError
        If a column is absent, numbers were rounded by a spreadsheet, no birth date can be read, or a column that is
        left holds free text, names, or numbers that identify. Rows are counted, nothing is quoted.
    """
    if not frame.columns.is_unique:
        raise DataError(where, "two columns have one name", remedy="rename one of them")
    given = {str(name): frame[name] for name in frame}
    renamed = _pairs(columns, given, where)
    single = [parts[0] for parts in renamed.values() if len(parts) == 1]
    joined = {part for parts in renamed.values() for part in parts} - set(single)
    named = [*single, *joined, *([birth] if birth else []), *drop, *keep]
    _must_be_there(given, named, where)
    _must_differ(named, where)
    if birth and as_of is None:
        raise ParamsError("--birth", "an age needs a day", remedy="give --as-of YYYY-MM-DD")
    dropped = tuple(name for name in given if name in drop or name in joined or (name not in named and is_direct(name)))
    left = [name for name in given if name not in dropped and name not in single and name != birth]
    _must_not_identify({name: given[name] for name in left}, keep, as_of or date.today(), where)
    if len({*renamed, *left, *(["age_band"] if birth else [])}) < len(renamed) + len(left) + bool(birth):
        raise ParamsError(where, "two columns would have one name", remedy="rename with new=old")
    made, told = {}, {}
    bands, unreadable, outside = age_bands(given[birth], as_of, where=where) if birth else (None, 0, 0)
    for name, values in given.items():
        for new in (new for new, parts in renamed.items() if parts[0] == name):
            made[new], told[new] = _hashed([given[part] for part in renamed[new]], key, domain, where)
        if name in left or name == birth:
            made["age_band" if name == birth else name] = bands if name == birth else values
    told = {new: told[new] for new in renamed}
    result = pd.DataFrame(made).sort_values(next(iter(renamed)), kind="stable", ignore_index=True)
    repeated = int(frame.duplicated().sum())
    return PseudonymisedResult(result, told, dropped, len(frame), repeated, unreadable, outside)


def age_bands(birth: pd.Series, as_of: date, *, where: str = "birth") -> tuple[pd.Series, int, int]:
    """Age bands in completed years; how many dates were no day, and how many gave no likely age.

    A month without a day counts as its first. Dates as 2012-03-05, 2012/3/5, 20120305, 2012年3月5日, or as the number
    that a spreadsheet keeps for a day, are read. Who is born on 29 February comes of age on 1 March.

    Raises
    ------
    DataError
        If there are dates and none can be read.
    """
    texts = birth.astype("string").str.normalize("NFKC").str.strip()
    texts = texts.mask(texts == "")
    days = {text: _day(text) for text in texts.dropna().unique()}
    if days and not any(days.values()):
        raise DataError(where, f"column {birth.name}: none of the birth dates can be read", allowed="2012-03-05")
    unreadable = int(texts.map(lambda text: days[text] is None, na_action="ignore").fillna(False).astype(bool).sum())
    bands = {text: _band(_age(day, as_of)) for text, day in days.items() if day is not None}
    found = texts.map(lambda text: bands.get(text), na_action="ignore").astype("string")
    return found, unreadable, int(found.isna().sum()) - int(texts.isna().sum()) - unreadable


def _age(day: date, as_of: date) -> int:
    return as_of.year - day.year - ((as_of.month, as_of.day) < (day.month, day.day))


def _band(age: int) -> str | None:
    if not 0 <= age <= OLDEST:
        return None
    start = max(bound for bound in BANDS if bound <= age)
    following = [bound for bound in BANDS if bound > start]
    return f"{start}-{following[0] - 1}" if following else f"{start}+"


def _day(text: str) -> date | None:
    if re.fullmatch(r"\d{5}(\.\d+)?", text):
        return date(1899, 12, 30) + timedelta(days=int(float(text)))
    return day_of(text)


def _hashed(parts: Sequence[pd.Series], key: bytes, domain: str, where: str) -> tuple[pd.Series, PseudonymColumn]:
    """Pseudonyms of one column, or of several put together; a row that lacks a part has none."""
    texts = _texts(parts[0])
    for part in parts[1:]:
        texts = texts + JOINED + _texts(part)
    plain = {text: _normalised_parts(text) for text in texts.dropna().unique()}
    lost = int(texts.map(lambda text: plain[text] is None, na_action="ignore").fillna(False).astype(bool).sum())
    if lost:
        column = " + ".join(str(part.name) for part in parts)
        raise DataError(where, f"column {column}: a spreadsheet has rounded the numbers of {lost} rows",
                        remedy="export it anew with this column as text")  # fmt: skip
    hashes = {number: pseudonym(number, key, domain=domain) for number in set(plain.values())}
    found = texts.map(lambda text: hashes[plain[text]], na_action="ignore").astype("string")
    several = pd.Series([*plain.values()], dtype="object").value_counts()
    n_distinct, n_missing = len(hashes), int(found.isna().sum())
    return found, PseudonymColumn(n_distinct, n_missing, int((several > 1).sum()), len(found) - n_missing - n_distinct)


def _texts(values: pd.Series) -> pd.Series:
    """Numbers as written, a blank one missing."""
    texts = values.map(_written, na_action="ignore").astype("string")
    return texts.mask((texts.str.strip() == "").fillna(False)).astype("object").where(values.notna(), None)


def _normalised_parts(text: str) -> str | None:
    parts = [normalised_identifier(part) for part in text.split(JOINED)]
    return None if None in parts else JOINED.join(parts)


def _written(value: object) -> str:
    """A number as text without loss; whole floats without an exponent."""
    return f"{value:.1f}" if isinstance(value, float) and value.is_integer() else str(value)


def _pairs(columns: Sequence[str], given: Collection[str], where: str) -> dict[str, tuple[str, ...]]:
    """New names with the columns behind each; `a + b` are two, unless one column is called so."""
    if not columns:
        raise ParamsError(where, "no column of numbers of persons is named", remedy="give --columns")
    pairs = {}
    for column in columns:
        new, _, old = (part.strip() for part in column.partition("="))
        if new in pairs:
            raise ParamsError("--columns", "one name is given twice")
        old = old or new
        pairs[new] = (old,) if old in given else tuple(part.strip() for part in old.split("+"))
    return pairs


def _must_be_there(given: Mapping[str, object], wanted: Sequence[str], where: str) -> None:
    absent = [name for name in wanted if name not in given]
    if absent:
        raise DataError(where, f"no column {', '.join(absent)}", allowed=", ".join(given))


def _must_differ(named: Sequence[str], where: str) -> None:
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise ParamsError(where, f"{', '.join(twice)} is named for two things")


def _must_not_identify(left: Mapping[str, pd.Series], keep: Sequence[str], as_of: date, where: str) -> None:
    problems = []
    for name, values in left.items():
        found = identifying_values(values) or ("birth dates" if look_like_births(values, as_of) else "")
        may_stay = name in keep and not is_direct(name) and found in ("free text", "names of persons", "birth dates")
        if found and not may_stay:
            problems.append(f"column {name} holds {found}")
    if problems:
        raise DataError.of_many(where, problems, remedy="name it in --drop, in --columns where it is a number, in --birth; "
                                "--keep where text names nobody")  # fmt: skip
