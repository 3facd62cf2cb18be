"""A county as many bureaux have it: a roster, one export of the platform, and interviews of the positives only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mhlib.data.synthetic import calendar, planted, responses
from mhlib.data.synthetic.calibration import level_models
from mhlib.data.synthetic.people import people
from mhlib.data.synthetic.planted import rng_of
from mhlib.data.synthetic.verification import prorated_total

OPTIONS = np.array(["完全没有", "好几天", "一半以上天数", "几乎每天"])
LEVEL_NAMES = {"P": "小学", "J": "初中", "S": "高中", "V": "中职"}
COUNTY = (12, 9_000)


def write_minimal(seed: int, folder: Path, truth_folder: Path) -> dict[str, int]:
    """Write `roster.csv` (GB18030, two header rows) and `export.csv` (UTF-8 with BOM); returns their row counts."""
    folk = people(seed, *COUNTY)
    place = folk.place[folk.place["year"] == folk.place["year"].max()].sort_values(["school", "class", "pupil"])
    sex = folk.tables["pupil"]["sex"].to_numpy()
    number = np.char.add("00", (20_250_000 + np.arange(len(place))).astype(str)).astype(object)
    roster = _roster(place, number, sex)
    rng = rng_of(seed, "minimal")
    truth = responses.latent(seed, len(sex), COUNTY[0], int(folk.place["class"].max()) + 1)
    theta, case = responses.distress(rng, truth, place, sex, level_models())
    here = rng.random(len(place)) >= place["level"].map(planted.ABSENT).to_numpy()
    export = _export(rng, roster[here], theta[here], case[here])
    for made in (folder, truth_folder):
        made.mkdir(parents=True, exist_ok=True)
    _write_roster(roster, folder / "roster.csv")
    export.to_csv(folder / "export.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    pd.DataFrame({"学号": number, "true_case": case}).to_parquet(truth_folder / "truth_wave.parquet", index=False)
    return {"roster": len(roster), "export": len(export)}


def _roster(place: pd.DataFrame, number: np.ndarray, sex: np.ndarray) -> pd.DataFrame:
    """Names are absent; a class is numbered within its school and grade."""
    group = place.groupby(["school", "grade"])["class"]
    klass = (group.rank(method="dense")).astype(int).astype(str) + "班"
    return pd.DataFrame({
        "学号": number, "性别": np.where(sex[place["pupil"]] == 1, "女", "男"),
        "学校": [f"示范县第{code + 1:02d}学校" for code in place["school"]],
        "学段": place["level"].map(LEVEL_NAMES).to_numpy(), "年级": place["grade"].to_numpy(), "班级": klass.to_numpy(),
    })  # fmt: skip


def _export(rng: np.random.Generator, pupils: pd.DataFrame, theta: np.ndarray, case: np.ndarray) -> pd.DataFrame:
    """PHQ-9 as the platform exports it: answers as text, an empty cell for one left out, interviews of positives only."""
    answers = responses.answers(rng, theta, responses.carelessness(rng, len(theta)))
    items = np.column_stack([answers[f"phq_9_{j}"] for j in range(1, 10)])
    days = calendar.screening_days(planted.WAVES, rng, len(items)).strftime("%Y/%m/%d")
    export = pd.DataFrame({"学号": pupils["学号"].to_numpy(), "学校": pupils["学校"].to_numpy(), "提交时间": days})
    for j in range(9):
        export[f"第{j + 1}题"] = np.where(items[:, j] < 0, "", OPTIONS[items[:, j]])
    with np.errstate(invalid="ignore"):
        seen = (prorated_total(items) >= planted.CUTOFF) & (rng.random(len(items)) < planted.VERIFIED_POSITIVE)
    return export.assign(访谈结论=np.where(seen, np.where(case, "是", "否"), ""))


def _write_roster(roster: pd.DataFrame, path: Path) -> None:
    """Two header rows, as a merged title cell leaves them: the group above, the name below."""
    body = roster.to_csv(index=False, lineterminator="\n")
    path.write_bytes(("学生信息,,就读信息,,,\n" + body).encode("gb18030"))
