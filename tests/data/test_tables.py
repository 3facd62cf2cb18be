import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhlib.data.tables import Column, Table, all_tables, validate
from mhlib.data.tables.coercion import integer, text
from mhlib.errors import DataError

PUPILS = Table(
    "pupils", "One row a pupil.",
    {"id": Column("text", "Name."), "grade": Column("integer", "Grade.", low=1, high=12),
     "sex": Column("integer", "0 boy, 1 girl.", allowed=(0, 1), missing=True, required=False)},
    key=("id",),
)  # fmt: skip


def test_everything_wrong_is_told_at_once_without_values():
    frame = pd.DataFrame({"id": ["a", "a", None, "d"], "grade": ["1", "x", "77", ""], "sex": ["0", "3", "1", ""]})
    with pytest.raises(DataError) as error:
        validate(frame, PUPILS, where="pupils.csv")
    assert str(error.value).splitlines() == [
        "pupils.csv: 6 problems",
        "  - column id: 1 row empty (row 4)",
        "  - column grade: 1 row not of kind integer (row 3)",
        "  - column grade: 1 row empty (row 5)",
        "  - column grade: 1 row outside 1–12 (row 4)",
        "  - column sex: 1 row outside 0, 1 (row 3)",
        "  - column id: 2 rows occur more than once (row 2, 3)",
        " ; mend the file or map it anew",
    ]
    assert "77" not in str(error.value).removesuffix(" anew")


def test_a_missing_column():
    with pytest.raises(DataError, match="grade: the column is missing"):
        validate(pd.DataFrame({"id": ["a"]}), PUPILS, where="t")


def test_a_spreadsheets_float_is_a_name_again_and_a_rounded_one_is_refused():
    cells, lost = text(pd.Series(["20230001.0", "2.0230001E+11", "007"]))
    assert cells.tolist()[0] == "20230001" and cells.tolist()[2] == "007" and lost.tolist() == [False, True, False]
    cells, lost = text(pd.Series([20230001.0, 1e17, 1.5]))
    assert cells.tolist()[0] == "20230001" and lost.tolist() == [False, True, True]


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1))
def test_coercion_never_changes_a_whole_number(values):
    for cells in (pd.Series(values), pd.Series([str(value) for value in values])):
        coerced, lost = integer(cells)
        assert coerced.tolist() == values and not lost.any()


def test_every_contract_is_found_and_describes_itself():
    assert "screening" in all_tables()
    for table in all_tables().values():
        assert table.description and all(column.description for column in table.columns.values())


def test_every_table_of_a_city_keeps_its_contract(small_city):
    contracts = all_tables()
    there = {path.stem for path in (small_city / "small").glob("*.parquet")}
    assert there == set(contracts) - {"screening", "trial", "panel"}
    for name in sorted(there):
        validate(pd.read_parquet(small_city / "small" / f"{name}.parquet"), contracts[name], where=name)


def test_the_data_dictionary_is_up_to_date(root):
    from mhlib.data.dictionary import dictionary_markdown

    assert (root / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == dictionary_markdown()
