"""An evaluation that counts rows, and that can be told to go wrong in each way a kernel can."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

import pandas as pd
from IPython.display import display, publish_display_data
from pydantic import Field

from mhlib.data.sources import open_source
from mhlib.errors import DataError
from mhlib.findings import Count, message
from mhlib.params import BaseParams
from mhlib.report.export import ELEMENT

REQUIRED = ("answer", "counts", "provenance")


class Params(BaseParams):
    """Parameters of the tiny evaluation."""

    highest: int = Field(3, description="highest answer allowed", json_schema_extra={"unit": "points"})
    fault: Literal["", "killed", "exits", "sleeps", "raises", "prints", "shows", "forges", "unanswered"] = Field(
        "", description="fault"
    )
    seconds: float = Field(0.0, description="to sleep", json_schema_extra={"unit": "seconds"})


@dataclass(frozen=True)
class Rows:
    frame: pd.DataFrame
    provenance: object


def load(params: Params) -> Rows:
    source = open_source(params.source)
    frame = source.frame()
    if "item_1" not in frame:
        raise DataError(params.source, "column item_1 is missing", remedy="map it under columns:")
    beyond = pd.to_numeric(frame["item_1"]) > params.highest
    if beyond.any():
        raise DataError(params.source, f"item_1 is out of range in {int(beyond.sum())} rows", allowed="0-3")
    origin = SimpleNamespace(
        kind="file", source=params.source, as_of=params.as_of, sha256=source.fingerprint(), rows_read=len(frame)
    )
    return Rows(frame, origin)


def answer(rows: Rows) -> list:
    return [message("{n} pupils answered.", n=Count(len(rows.frame)))]


def counts(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame({"term": ["all"], "n": [len(rows.frame)]})


def misbehave(params: Params, view: object) -> None:
    if params.fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif params.fault == "exits":
        sys.exit(0)
    elif params.fault == "sleeps":
        time.sleep(params.seconds)
    elif params.fault == "raises":
        raise ZeroDivisionError("pupil 4711081547 scored 27")
    elif params.fault == "prints":
        print("pupil 4711081547 scored 27")
    elif params.fault == "shows":
        display(pd.DataFrame({"pupil_pid": ["4711081547"], "score": [27]}))
    elif params.fault == "forges":
        element = {"name": "forged", "kind": "table", "html": {"zh": "", "en": ""}, "frame": [{"n": 27}]}
        publish_display_data({ELEMENT: element})
