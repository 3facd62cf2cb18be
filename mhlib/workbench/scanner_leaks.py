"""What a scan may find: a leak has a file, a part of it, a kind and coordinates, and never the value itself."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {
    "known_id": "an identifier that stands in the source",
    "known_name": "a name that stands in the source",
    "known_birth": "a birth date that stands in the source",
    "known_phone": "a telephone number that stands in the source",
    "pseudonym": "what looks like the pseudonym or number of a person",
    "name": "a person's name",
    "birth_date": "what looks like a birth date",
    "phone": "a mobile telephone number",
    "id_card": "a citizen's identity number",
    "row_array": "as many numbers or records as there are people",
    "too_many_points": "more points or numbers than a report of aggregates has",
    "unrounded_count": "a count that is not rounded as the policy demands",
    "exact_count": "a count of the bureau's own, to the last digit",
    "hidden_cell": "a cell that the policy hides",
    "ungated_output": "an output that did not pass the gate",
    "half_run": "parameters or errors kept by the runner",
    "open_internal": "a file for the bureau only that others may read",
    "user_folder": "a path that names a user",
    "opaque": "content that cannot be looked into",
}


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """One finding.

    Attributes
    ----------
    file : str
        Name of the file, relative to the run; replaced by its number where the name itself leaks.
    part : str
        The way into the file, through every encoding: "cell 3 > html > base64 > gzip".
    kind : str
        A key of `KINDS`.
    where : str
        Coordinates within the part: line and character, or row and column.
    """

    file: str
    part: str
    kind: str
    where: str

    def __str__(self) -> str:
        place = ", ".join(text for text in (self.part, self.where) if text)
        return f"{self.file} ({place}): {KINDS[self.kind]}" if place else f"{self.file}: {KINDS[self.kind]}"
