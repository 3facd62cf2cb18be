"""Codebooks of the instruments: items by number, never their wording.

A codebook is a YAML file in `mhlib/data/codebooks/`. Its key (range, reversed items, subscales, missing rule) carries a
checksum, so that nobody changes it in passing, and counts as verified only when two sources give it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from mhlib.errors import DataError

CODEBOOKS = Path(__file__).parent / "codebooks"


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A published cut-off: `on` (total or a subscale) at `at` points, for whom, and who says so."""

    on: str
    at: float
    label: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One instrument.

    Attributes
    ----------
    low, high : int
        Ends of the response range in the codebook's coding, points.
    reverse : tuple of int
        Items scored `low + high - answer`; nothing else is ever reversed.
    subscales : mapping of str to tuple of int
        Item numbers. Items outside `total_items` (a lie scale, fillers) do not enter the total.
    allowed_missing : mapping of str to int
        Per scale, how many answers may be missing and be replaced by the mean of the person's others; 0 by default.
    multiply : float
        Factor of the published score (WHO-5: 4; DASS-21: 2).
    confidence : {"verified", "unverified"}
        Verified when two sources give the key; an unverified scale is scored but offers no cut-offs.
    sensitive : bool
        A positive score is about self-harm or suicide: larger cells, and the whole city only.
    """

    key: str
    names: Mapping[str, str]
    n_items: int
    low: int
    high: int
    reverse: tuple[int, ...]
    subscales: Mapping[str, tuple[int, ...]]
    total_items: tuple[int, ...]
    allowed_missing: Mapping[str, int]
    multiply: float
    distress: str
    cutoffs: tuple[Cutoff, ...]
    all_cutoffs: tuple[Cutoff, ...]
    licence: str
    sources: tuple[str, ...]
    confidence: str
    checksum: str
    sensitive: bool = False


def key_checksum(book: Mapping[str, object]) -> str:
    """SHA-256 of what decides a score: range, items, reversals, subscales, missing rule and factor."""
    names = ("n_items", "low", "high", "reverse", "subscales", "total_items", "allowed_missing", "multiply")
    canonical = json.dumps({name: book.get(name) for name in names}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def scale(key: str) -> Scale:
    """The codebook `key`.

    Raises
    ------
    DataError
        If there is no such codebook, its key does not match its checksum, or it contradicts itself.
    """
    path = CODEBOOKS / f"{key}.yml"
    known = sorted(book.stem for book in CODEBOOKS.glob("*.yml"))
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "add a codebook for it"
        raise DataError("scale", f"no codebook named {key}", allowed=", ".join(known), remedy=hint)
    return _scale(key, yaml.safe_load(path.read_text(encoding="utf-8")))


def scales() -> dict[str, Scale]:
    """Every codebook by its key."""
    return {path.stem: scale(path.stem) for path in sorted(CODEBOOKS.glob("*.yml"))}


def _scale(key: str, book: Mapping[str, object]) -> Scale:
    where = f"codebook {key}"
    if key_checksum(book) != book["checksum"]:
        raise DataError(
            where, "the key does not match its checksum", remedy="restore the key, or review and renew both"
        )
    everything = tuple(range(1, book["n_items"] + 1))
    subscales = {name: tuple(items) for name, items in book.get("subscales", {}).items()}
    stray = sorted({item for items in subscales.values() for item in items} - set(everything))
    if stray or set(book.get("reverse", [])) - set(everything):
        raise DataError(where, f"items outside 1-{book['n_items']}: {stray or book['reverse']}")
    if not isinstance(book.get("sensitive", False), bool):
        raise DataError(where, "sensitive is neither true nor false", remedy="write true or leave it out")
    all_cutoffs = tuple(Cutoff(**cutoff) for cutoff in book.get("cutoffs", []))
    verified = len(book["sources"]) >= 2
    return Scale(
        key=key,
        names=book["names"],
        n_items=book["n_items"],
        low=book["low"],
        high=book["high"],
        reverse=tuple(book.get("reverse", [])),
        subscales=subscales,
        total_items=tuple(book.get("total_items", everything)),
        allowed_missing=book.get("allowed_missing", {}),
        multiply=book.get("multiply", 1),
        distress=book.get("distress", "high"),
        cutoffs=all_cutoffs if verified else (),
        all_cutoffs=all_cutoffs,
        licence=book["licence"],
        sources=tuple(book["sources"]),
        confidence="verified" if verified else "unverified",
        checksum=book["checksum"],
        sensitive=book.get("sensitive", False),
    )
