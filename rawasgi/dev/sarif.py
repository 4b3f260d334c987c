"""A report as SARIF 2.1.0 (OASIS, errata 01), which code scanning and editors read."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rawasgi.dev.changes import Edit
from rawasgi.dev.findings import FAULTS, Finding
from rawasgi.dev.places import relative
from rawasgi.dev.reports import Report
from rawasgi.dev.results import Result
from rawasgi.dev.validation import rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"  # what relative paths are relative to: the folder in which the command runs


class Sarif(Report):
    """One document, at the end: results, the rules that they break, and as a fix the lines that change."""

    def end(self, results: Sequence[Result], unread: Sequence[str], status: int) -> None:
        self._write(json.dumps(document(results, status), ensure_ascii=False, indent=2))


def document(results: Sequence[Result], status: int) -> dict[str, Any]:
    found = [(result, finding) for result in results for finding in result.findings]
    ids = sorted({finding.id for _, finding in found})
    invocation: dict[str, Any] = {"executionSuccessful": status != 2, "exitCode": status}
    notes = [_notification(each) for each in results if each.verdict == "unjudged"]
    if notes:
        invocation["toolExecutionNotifications"] = notes
    run = {
        "tool": {"driver": _driver(ids)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder in which the command ran."}}},
        "invocations": [invocation],
        "results": [_result(result, finding, ids) for result, finding in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(ids: Sequence[str]) -> dict[str, Any]:
    texts = FAULTS | {rule.id: rule.text for rule in rules()}
    driver: dict[str, Any] = {"name": "rawasgi", "rules": [_rule(id, texts[id]) for id in ids]}
    try:
        driver["semanticVersion"] = version("rawasgi")
    except PackageNotFoundError:  # it runs from its folder
        pass
    return driver


def _rule(id: str, text: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": "".join(part.capitalize() for part in id.split("-")),
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": f"{text} See rawasgi check --faults and rawasgi rules."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(result: Result, finding: Finding, ids: Sequence[str]) -> dict[str, Any]:
    edits = result.plan.edits if result.is_mended(finding) else []
    text = f"{finding.path}: {finding.what}, when {finding.probe} ({finding.server})."
    key = "\n".join([finding.id, result.name, finding.place.rpartition(" in ")[2]])
    found: dict[str, Any] = {
        "ruleId": finding.id,
        "ruleIndex": ids.index(finding.id),
        "level": "error",
        "message": {"text": text},
        "locations": [_location(*result.place(finding), result.name)],
        "partialFingerprints": {"routeAndFunction/v1": hashlib.sha256(key.encode()).hexdigest()},
    }
    if edits:
        found["fixes"] = [_fix(edits)]
        found["relatedLocations"] = [_location(relative(each.file), each.line, "", "to be changed") for each in edits]
    return found


def _location(file: str, line: int, name: str, text: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    if file:
        found["physicalLocation"] = {"artifactLocation": _artifact(file), "region": {"startLine": line}}
    if name:
        found["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    if text:
        found["message"] = {"text": text}
    return found


def _artifact(file: str) -> dict[str, str]:
    return {"uri": Path(file).as_uri()} if Path(file).is_absolute() else {"uri": quote(file), "uriBaseId": ROOT}


def _fix(edits: Sequence[Edit]) -> dict[str, Any]:
    files = sorted({each.file for each in edits})
    changes = [
        {
            "artifactLocation": _artifact(relative(file)),
            "replacements": [_replacement(each) for each in edits if each.file == file],
        }
        for file in files
    ]
    return {"description": {"text": "Stream by rawasgi: change the import."}, "artifactChanges": changes}


def _replacement(edit: Edit) -> dict[str, Any]:
    region = {
        "startLine": edit.line,
        "startColumn": edit.column,
        "endLine": edit.end_line,
        "endColumn": edit.end_column,
    }
    return {"deletedRegion": region, "insertedContent": {"text": edit.new}}


def _notification(result: Result) -> dict[str, Any]:
    found = {"level": "warning", "message": {"text": f"{result.name} was not judged: {result.reason}"}}
    file, line = result.place()
    return found | ({"locations": [_location(file, line, result.name)]} if file else {})
