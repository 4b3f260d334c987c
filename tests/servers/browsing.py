"""A real browser, for a test file."""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from serving import need

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ALONE = [
    *["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
    *["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
]


def browsing() -> "Iterator[Browser]":
    need("playwright")
    from playwright.sync_api import sync_playwright  # it may be missing

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        if os.environ.get("REQUIRE_PARTS") == "1":
            pytest.fail(f"a browser is required, and none of {', '.join(BROWSERS)} is on the path")
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the path")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ALONE, chromium_sandbox=os.getuid() != 0)
        try:
            yield started
        finally:
            started.close()
