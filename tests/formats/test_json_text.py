"""The one JSON writer: as json.dumps, compact and in UTF-8, but for what JSON does not have."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawasgi.formats import json_text
from rawasgi.formats.endings import Done, Failure

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters() | st.sampled_from("\x85\u2028\u2029\ud800\udfff\\")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


class Row:
    def __init__(self, number: int) -> None:
        self.number = number


@given(VALUES)
def test_it_writes_the_bytes_of_json_dumps_but_for_what_would_be_a_line_end(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "\x85\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    written = json_text.dumps(value)
    assert written == text.encode("utf-8", "backslashreplace")
    assert len(written.decode().splitlines()) == 1


@given(VALUES)
def test_what_it_writes_is_read_back(value: object) -> None:
    # Two surrogates beside each other are a character when they are read, with or without us.
    assert json_text.decode(json_text.dumps(value)) == json.loads(json.dumps(value))


def test_half_a_surrogate_pair_stays_an_escape_so_that_all_is_utf_8() -> None:
    assert json_text.dumps(["😀", "\ud83d", "\\\ud83d"]) == '["😀","\\ud83d","\\\\\\ud83d"]'.encode()
    assert json_text.dumps({Decimal(1): "\ud83d\u2028"}) == b'{"1":"\\ud83d\\u2028"}'


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"deep": {"er": float("-inf")}}])
def test_it_refuses_what_json_does_not_have(value: object) -> None:
    with pytest.raises(ValueError, match=r"^json_text.dumps takes what JSON can say, .* not JSON compliant"):
        json_text.dumps(value)


def test_it_says_that_a_value_contains_itself_and_goes_on() -> None:
    circle: list[object] = []
    circle.append({"circle": circle})
    with pytest.raises(ValueError, match="Circular reference detected"):
        json_text.dumps(circle)
    assert json_text.dumps([1]) == b"[1]"


def test_what_is_no_json_is_told_without_a_second_error() -> None:
    with pytest.raises(TypeError, match="JSON has no Row: make it a str, a number, a list or a dict") as caught:
        json_text.dumps({"row": Row(1)})
    assert caught.value.__context__ is None


def test_without_pythons_fast_writer_it_is_the_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    write = json_text.writer("test", "<", ">", lambda row: [row.number])
    assert write({"a": [1, "é", Row(2), Decimal(3)]}) == '<{"a":[1,"é",[2],"3"]}>'.encode()
    with pytest.raises(ValueError, match=r"^test takes what JSON can say, not nan"):
        write(float("nan"))


# What the caller brings


def test_default_is_called_for_what_has_no_rule_and_what_it_returns_may_need_a_rule() -> None:
    called = []

    def default(value: Row) -> object:
        called.append(value.number)
        return {"number": Decimal(value.number)}

    write = json_text.writer("test", default=default)
    assert write([Row(1), Decimal("1.5"), {"row": Row(2)}]) == b'[{"number":"1"},"1.5",{"row":{"number":"2"}}]'
    assert called == [1, 2]


def test_an_error_of_default_is_raised_as_it_is() -> None:
    def default(value: object) -> object:
        raise LookupError(value)

    with pytest.raises(LookupError):
        json_text.writer("test", default=default)([b""])


def test_an_iterator_is_not_read_twice() -> None:
    write = json_text.writer("test", default=list)
    assert write({"rows": iter([1, 2])}) == b'{"rows":[1,2]}'
    with pytest.raises(TypeError, match="JSON has no list_iterator, which can be read once only: make it a list"):
        write({"rows": iter([1, 2]), "by key": {Decimal(1): 2}})  # the key makes it start again


def test_another_encoder_returns_str_or_bytes_and_is_not_asked_about_endings() -> None:
    def dumps(value: object) -> str:
        raise AssertionError

    assert json_text.encode(Failure("x", "y"), dumps, "test") == b'{"error":{"code":"x","message":"y"}}'
    assert json_text.encode(Done(1), dumps, "test") == b'{"done":{"items":1}}'
    assert json_text.encode(1, lambda value: "é\ud83d", "test") == "é\\ud83d".encode()
    assert json_text.encode(1, lambda value: b"\xff", "test") == b"\xff"
    with pytest.raises(ValueError, match=r"^test takes what JSON can say, not nan"):
        json_text.encode(float("nan"), lambda value: json.dumps(value, allow_nan=False), "test")


def test_there_is_one_encoder() -> None:
    json_text.check_one_encoder(json.dumps, None)
    json_text.check_one_encoder(None, str)
    with pytest.raises(ValueError, match="give dumps= or default=, not both"):
        json_text.check_one_encoder(json.dumps, str)
