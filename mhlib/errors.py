"""The errors a user can act on, each with its exit code.

Every message has one form, *where: what is wrong; what is allowed; what to do*, and never carries a value that a
pupil gave: row numbers and counts only.
"""

from __future__ import annotations

from collections.abc import Sequence

# How IPython shows an error of ours: by this mark the runner knows it from a library's error of the same name.
MARK = "mhlib: "


class MhlibError(Exception):
    """Base of every error that mhlib raises on purpose.

    Parameters
    ----------
    where : str
        The file, function, table or parameter at fault.
    problem : str
        What is wrong.
    allowed : str, optional
        What would have been accepted.
    remedy : str, optional
        What to do next.
    """

    exit_code = 20

    def __init__(self, where: str, problem: str, *, allowed: str = "", remedy: str = "") -> None:
        self.where, self.problem, self.allowed, self.remedy = where, problem, allowed, remedy
        super().__init__(f"{where}: " + "; ".join(part for part in (problem, allowed, remedy) if part))

    def _render_traceback_(self) -> list[str]:
        """In a notebook the message stands alone: it says what to do, a traceback would not."""
        return [f"{MARK}{type(self).__name__}: {self}"]

    @classmethod
    def of_many(cls, where: str, problems: Sequence[str], *, remedy: str = "") -> MhlibError:
        """One error that names every problem found at one place, a line each."""
        if len(problems) == 1:
            return cls(where, problems[0], remedy=remedy)
        listed = "\n".join(f"  - {problem}" for problem in problems)
        return cls(where, f"{len(problems)} problems\n{listed}" + ("\n " if remedy else ""), remedy=remedy)


class ParamsError(MhlibError):
    """A parameter file or notebook that cannot be run as written."""

    exit_code = 10


class DataError(MhlibError):
    """Data that break their contract, or that cannot be read."""

    exit_code = 11


class DesignError(MhlibError):
    """A design that cannot carry the estimate that was asked for."""

    exit_code = 12


class DisclosureError(MhlibError):
    """An output that would say more about a person than the policy allows."""

    exit_code = 13


class WorkbenchError(MhlibError):
    """A run that failed for a reason outside parameters, data and design: a dead kernel, a full disk, a held lock."""

    exit_code = 20
