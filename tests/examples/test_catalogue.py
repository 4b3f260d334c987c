"""The catalogue: complete, and each example fits its path."""

import re

import pytest

from examples.catalogue import ROWS, Row


def test_there_are_42_rows_in_order() -> None:
    assert [row.number for row in ROWS] == list(range(1, 43))
    assert len({(row.method, row.path) for row in ROWS}) == 42
    assert {row.document for row in ROWS} == {"000", "001", "002", "003", "004"}


def test_nine_rows_are_also_naked() -> None:
    assert [row.number for row in ROWS if row.naked] == [1, 2, 3, 20, 23, 25, 27, 29, 41]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_an_example_is_its_path_filled_in(row: Row) -> None:
    pattern = re.sub(r"\{\w+\}", "[^/?]+", row.path)
    assert re.fullmatch(rf"{pattern}(\?\S+)?", row.example)
    assert row.example.isascii()
    assert (row.method == "WS") == (row.kind == "websocket")
    assert row.body is None or row.method == "POST"


def test_an_endless_row_has_an_example_that_ends() -> None:
    assert all("?" in row.example for row in ROWS if row.endless)
