"""Errors, by whose fault."""

import copy
import pickle

import pytest

from rawasgi.errors import AppError, Disconnected, HTTPError, OutOfOrder, ProtocolError, ServerError


@pytest.mark.parametrize("status", [399, 200, 0, -1, 600])
def test_an_http_error_is_of_an_error_status(status: int) -> None:
    with pytest.raises(ValueError, match=f"400 to 599, not {status}: return a Response"):
        HTTPError(status)


def test_an_http_error_can_be_copied_between_tasks_and_processes() -> None:
    error = HTTPError(409, "taken", headers=((b"a", b"b"),), detail={"by": 1})
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert vars(again) == vars(error)
    assert str(error) == "(409, 'taken')"


def test_one_catches_by_whose_fault_it_is() -> None:
    assert issubclass(OutOfOrder, AppError)
    assert issubclass(AppError, ProtocolError)
    assert issubclass(ServerError, ProtocolError)
    assert not issubclass(AppError, ServerError)
    assert issubclass(Disconnected, OSError)  # so that who catches what send() raises has this too
    assert not issubclass(Disconnected, ProtocolError)
