"""For tests of any ASGI app: ``def test_streams(asgi_check): asgi_check(app, "/stream")``.

pytest finds the fixture by itself, where rawasgi is installed.
"""

import asyncio
from collections.abc import Callable, Collection

import pytest

from rawasgi.asgi import App
from rawasgi.dev.checking import check
from rawasgi.dev.findings import FAULTS, Finding, Limits, Target


@pytest.fixture
def asgi_check() -> Callable[..., None]:
    """``fail_if_found``."""
    return fail_if_found


def fail_if_found(app: App, *targets: str | Target, ignore: Collection[str] = (), limits: Limits | None = None) -> None:
    """Fail the test with all that ``rawasgi check`` finds in *targets* of *app*, which are paths, or Targets.

    *ignore*: ids of faults that are known. It runs an event loop of its own, with the app's lifespan.
    """
    asked = [Target(target) if isinstance(target, str) else target for target in targets or ("/",)]

    async def main() -> list[Finding]:
        return [each async for each in check(app, *asked, limits=limits) if each.id not in ignore]

    found = asyncio.run(main())
    if found:
        pytest.fail("\n".join(map(said, found)), pytrace=False)


def said(finding: Finding) -> str:
    """Return a finding in three lines: what, when, and what should hold."""
    rule = FAULTS.get(finding.id, "see rawasgi rules")
    when = f"when {finding.probe} ({finding.server})"
    return f"{finding.path} {finding.id}: {finding.what}\n    {when}\n    {rule}"
