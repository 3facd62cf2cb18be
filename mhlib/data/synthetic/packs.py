"""Adversarial packs: faults that real exports have, put into the city on demand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic.instruments import ANSWERS, INSTRUMENTS
from mhlib.data.synthetic.planted import rng_of


def disturbed_response(response: pd.DataFrame, packs: frozenset[str], seed: int, wave: int) -> pd.DataFrame:
    """One wave's answers with the asked-for faults, one after the other in the order of `RESPONSE_FAULTS`."""
    for name, fault in RESPONSE_FAULTS.items():
        if name in packs:
            response = fault(response, rng_of(seed, f"{name} {wave}"))
    return response


def _reversed_items(response: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    for tool in INSTRUMENTS:
        for number in tool.reverse:
            answer = response[f"{tool.key}_{number}"]
            response[answer.name] = np.where(answer < 0, answer, tool.n_options - 1 - answer).astype("int8")
    return response


def _careless_school(response: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    here = np.flatnonzero((response["school_pid"] == response["school_pid"].min()) & (rng.random(len(response)) < 0.3))
    for tool in INSTRUMENTS:
        for name in tool.columns:
            response.loc[response.index[here], name] = rng.integers(0, tool.n_options, len(here), dtype="int8")
    response.loc[response.index[here], "seconds"] = np.int16(45)
    return response


def _copied_answers(response: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    here = response["class_pid"] == response["class_pid"].min()
    for name in ANSWERS:
        response.loc[here, name] = response.loc[here, name].iloc[0]
    return response


def _moved_pupils(response: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    moved = np.flatnonzero(rng.random(len(response)) < 0.01)
    schools = np.sort(response["school_pid"].unique())
    old = np.searchsorted(schools, response["school_pid"].to_numpy()[moved].astype(schools.dtype))
    new = schools[(old + rng.integers(1, len(schools), len(moved))) % len(schools)]
    response.loc[response.index[moved], "school_pid"] = new
    return response


def _duplicates(response: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return pd.concat([response, response.sample(frac=0.01, random_state=rng)], ignore_index=True)


RESPONSE_FAULTS = {
    "reversed_items": _reversed_items, "careless_school": _careless_school, "copied_answers": _copied_answers,
    "moved_pupils": _moved_pupils, "duplicates": _duplicates,
}  # fmt: skip


def disturbed_table(name: str, table: pd.DataFrame, packs: frozenset[str]) -> pd.DataFrame:
    """One of the other tables with the asked-for faults."""
    if name == "platform_upload" and "late_uploads" in packs:
        return table.assign(uploaded_on=table["uploaded_on"] + pd.Timedelta(days=60))
    if name == "certificate" and "expired_certificates" in packs:
        fifth = np.arange(len(table)) % 5 == 0
        return table.assign(expires=table["expires"].mask(fifth, pd.Timestamp("2022-06-30")))
    if name == "parent_attendance" and "double_counted_families" in packs:
        return pd.concat([table, table.iloc[::5]], ignore_index=True)
    return table
