"""The one JSON writer: as json.dumps, but for what JSON does not have."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@dataclass
class Row:
    number: int


@given(VALUES)
def test_it_writes_the_bytes_of_json_dumps(value: object) -> None:
    assert json_text.dumps(value) == json.dumps(value)
    assert json_text.compact(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"deep": {"er": float("-inf")}}])
def test_it_refuses_what_json_does_not_have(value: object) -> None:
    for write in (json_text.dumps, json_text.compact):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write(value)


def test_it_says_that_a_value_contains_itself_and_goes_on() -> None:
    circle: list[object] = []
    circle.append(circle)
    for write in (json_text.dumps, json_text.compact):
        with pytest.raises(ValueError, match="Circular reference detected"):
            write(circle)
        assert write([1]) == "[1]"


def test_what_is_no_json_is_told_without_a_second_error() -> None:
    with pytest.raises(TypeError, match="Object of type Row is not JSON serializable") as caught:
        json_text.compact({"row": Row(1)})
    assert caught.value.__context__ is None


def test_without_pythons_fast_writer_it_is_the_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    write = json_text._writer(True, ", ", ": ")
    assert write({"a": [1, "é"]}) == json.dumps({"a": [1, "é"]})
