"""Each test has its own loop, and so its own runs."""

import pytest

from examples.raw import resuming
from rawasgi.journal import Runs


@pytest.fixture(autouse=True)
def _runs_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "runs", Runs())
