"""When no share of a gain can be called kept, and what would have to be collected."""

from __future__ import annotations

import math

from mhlib.findings import Estimate, Refused, message
from mhlib.stats.intervals import wald

FEWEST_DF = 4


def no_gain_refusal(gain: float, std_error: float, *, df: float, conf_level: float, n_used: int) -> Refused | None:
    """Refusal, code `no_gain_to_keep`, when the interval of the gain just after training includes 0."""
    low, high = wald(gain, std_error, conf_level, df)
    if low > 0 or high < 0:
        return None
    return Refused(
        "no_gain_to_keep",
        message(
            "The gain just after training is {gain}: it is not told from none, so there is no share of it that was kept.",
            gain=Estimate(gain, n_used, low, high),
        ),
        message(
            "Measure more teachers, from more schools, before and after training, with the same questions at every wave."
        ),
    )


def few_df_refusal(df: float) -> Refused | None:
    """Refusal, code `few_degrees_of_freedom`, below 4 degrees of freedom."""
    if df >= FEWEST_DF:
        return None
    return Refused(
        "few_degrees_of_freedom",
        message(
            "The gains rest on {df} degrees of freedom, fewer than {least}: no interval of the share kept can be trusted.",
            df=math.nan if math.isnan(df) else round(float(df), 1),
            least=FEWEST_DF,
        ),
        message("Measure teachers of more schools."),
    )
