"""What is known of one route, or of one path: what was found, what mends it, and what remains."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rawasgi.dev.changes import Plan, plan
from rawasgi.dev.findings import FAULTS, Finding
from rawasgi.dev.places import is_own, locate
from rawasgi.dev.routes import Route, declaration
from rawasgi.dev.streaming import Evidence

# faults: something was found. clean: nothing was. unjudged: what it answered cannot be judged. uncalled: no request was
# made. no stream: only check --all judges it. unknown: nothing shows that it streams, and it answered no first request.
Verdict = Literal["pending", "clean", "faults", "no stream", "uncalled", "unjudged", "unknown"]
# Found in the app's own code, which no import changes; so are the rules of rawasgi rules.
OWN_FAULTS = ("app-failed", "loop-blocked", "memory-grows", "task-left", "thread-left")


@dataclass(slots=True)
class Result:
    """What is known of one target. *name*: the route, or the method and the path that were given.

    *listed*: it is one of the routes of an app, each of which has a line of its own in the report. *module*: the file
    of the app. *after*: what is found with the changes of ``plan``; None: that was not tried.
    """

    name: str
    verdict: Verdict = "pending"
    reason: str = ""
    route: Route | None = None
    listed: bool = True
    module: str = ""
    evidence: Evidence = field(default_factory=lambda: Evidence(()))
    findings: list[Finding] = field(default_factory=list)
    after: list[Finding] | None = None

    @property
    def plan(self) -> Plan:
        """What changes in the app, so that what is found is not found any more; see ``remains``."""
        return plan_of([self])

    @property
    def remains(self) -> list[Finding]:
        """What is found with the changes; if that was not tried, what no change of an import mends, by its kind."""
        if self.after is not None:
            return self.after
        fixed = self.plan.names
        return [each for each in self.findings if not fixed or each.id in OWN_FAULTS or each.id not in FAULTS]

    def is_mended(self, finding: Finding) -> bool:
        """Return whether the changes mend *finding*: the same fault does not remain at the same place."""
        return not any((each.id, each.place) == (finding.id, finding.place) for each in self.remains)

    def end(self, timeout: float | None) -> bool:
        """Set the verdict, if there is none, as *timeout* seconds are over; return whether it was set."""
        if self.verdict != "pending":
            return False
        self.verdict, self.reason = "unjudged", f"{self.name} must be checked within --timeout {timeout:g}: raise it"
        return True

    def place(self, finding: Finding | None = None) -> tuple[str, int]:
        """Return the file and the line that *finding* is about: its own, that of the endpoint, or the app's first."""
        found = locate(finding.place) if finding is not None else None
        if found is not None and is_own(found[0]):
            return found
        file, line = declaration(self.route.function() if self.route is not None else None)
        return (file, line) if file and is_own(file) else (self.module, min(1, len(self.module)))


def plan_of(results: Sequence[Result]) -> Plan:
    """Return one plan for all routes with faults that a change of an import mends."""
    faulty = [
        each for each in results if any(found.id in FAULTS and found.id not in OWN_FAULTS for found in each.findings)
    ]
    functions = (each.route.function() for each in faulty if each.route is not None and each.evidence.yields)
    return plan([use for each in faulty for use in each.evidence.uses], [each for each in functions if each])
