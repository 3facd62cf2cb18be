"""A county as many bureaux have it: a roster, one export of the platform, and interviews of the positives only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mhlib.data.synthetic import calendar, planted, responses
from mhlib.data.synthetic.people import people
from mhlib.data.synthetic.planted import rng_of
from mhlib.data.synthetic.verification import prorated_total

OPTIONS = np.array(["完全没有", "好几天", "一半以上天数", "几乎每天"])
LEVEL_NAMES = {"P": "小学", "J": "初中", "S": "高中", "V": "中职"}


def write_minimal(seed: int, folder: Path) -> dict[str, int]:
    """Write `roster.csv` (GB18030, two header rows) and `export.csv` (UTF-8 with BOM); returns their row counts."""
    folk = people(seed, 12, 9_000)
    rng = rng_of(seed, "minimal")
    place = folk.place[folk.place["year"] == folk.place["year"].max()].sort_values(["school", "class", "pupil"])
    sex = folk.tables["pupil"]["sex"].to_numpy()
    number = np.char.add("00", (20_250_000 + np.arange(len(place))).astype(str)).astype(object)
    school = np.array([f"示范县第{i + 1:02d}学校" for i in range(12)], dtype=object)[place["school"]]
    roster = pd.DataFrame({
        "学号": number, "性别": np.where(sex[place["pupil"]] == 1, "女", "男"), "学校": school,
        "学段": place["level"].map(LEVEL_NAMES).to_numpy(), "年级": place["grade"].to_numpy(),
    })  # fmt: skip
    here = rng.random(len(place)) >= planted.ABSENT
    truth = responses.latent(seed, len(sex), 12, int(folk.place["class"].max()) + 1)
    theta, case = responses.distress(rng, truth, place[here], sex, responses.solve_means())
    answers = responses.answers(rng, theta, responses.carelessness(rng, len(theta)))
    items = np.column_stack([answers[f"phq_9_{j}"] for j in range(1, 10)])
    with np.errstate(invalid="ignore"):
        seen = (prorated_total(items) >= planted.CUTOFF) & (rng.random(len(items)) < planted.VERIFIED_POSITIVE)
    export = pd.DataFrame({"学号": number[here], "学校": school[here],
                           "提交时间": calendar.screening_days(6, rng, len(items)).strftime("%Y/%m/%d")})  # fmt: skip
    for j in range(9):
        export[f"第{j + 1}题"] = np.where(items[:, j] < 0, "", OPTIONS[items[:, j]])
    export["访谈结论"] = np.where(seen, np.where(case, "是", "否"), "")
    folder.mkdir(parents=True)
    _write_roster(roster, folder / "roster.csv")
    export.to_csv(folder / "export.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    return {"roster": len(roster), "export": len(export)}


def _write_roster(roster: pd.DataFrame, path: Path) -> None:
    """Two header rows, as a merged title cell leaves them: the group above, the name below."""
    body = roster.to_csv(index=False, lineterminator="\n")
    path.write_bytes(("学生信息,,就读信息,,\n" + body).encode("gb18030"))
