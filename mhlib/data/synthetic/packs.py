"""Adversarial packs: faults that real exports have, put into the city on demand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic.planted import rng_of

PACKS = {
    "duplicates": "1 % of the answers are in the table twice",
    "reversed_items": "the platform already turned the reversed items of CES-DC",
    "careless_school": "one school answers at random in three of ten cases",
    "moved_pupils": "1 % of the pupils answer in another school than the register says",
    "copied_answers": "one class hands in one sheet",
    "late_uploads": "uploads to the platform come sixty days late",
    "expired_certificates": "every fifth certificate has run out",
    "double_counted_families": "a fifth of the attendances are listed twice",
    "fallible_interview": "the interview misses one case in ten and errs for 3 % of the others",
    "nonignorable_verification": "cases are likelier to be interviewed than the stated chance says",
}
AT_GENERATION = {"fallible_interview", "nonignorable_verification"}


def disturbed_response(response: pd.DataFrame, packs: frozenset[str], seed: int, wave: int) -> pd.DataFrame:
    """One wave's answers with the asked-for faults."""
    rng = rng_of(seed, f"packs {wave}")
    answers = [name for name in response if name.startswith(("phq_9_", "gad_7_", "ces_dc_", "who_5_"))]
    if "reversed_items" in packs:
        for number in (4, 8, 12, 16):
            response[f"ces_dc_{number}"] = 3 - response[f"ces_dc_{number}"]
    if "careless_school" in packs:
        here = (response["school_pid"] == response["school_pid"].min()) & (rng.random(len(response)) < 0.3)
        for name in answers:
            top = 6 if name.startswith("who_5") else 4
            response.loc[here, name] = rng.integers(0, top, int(here.sum()))
    if "copied_answers" in packs:
        here = response["class_pid"] == response["class_pid"].min()
        response.loc[here, answers] = response.loc[here, answers].iloc[[0] * int(here.sum())].to_numpy()
    if "moved_pupils" in packs:
        moved = rng.random(len(response)) < 0.01
        response.loc[moved, "school_pid"] = rng.choice(response["school_pid"].unique(), int(moved.sum()))
    if "duplicates" in packs:
        response = pd.concat([response, response.sample(frac=0.01, random_state=rng)], ignore_index=True)
    return response


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
