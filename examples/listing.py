"""All rows of an app on one page: a table for browsers, JSON for everyone else. The demo has a page of its own."""

import itertools
from collections.abc import Mapping
from html import escape

from examples.catalogue import MORE, ROWS, Row
from rawasgi import headers, respond
from rawasgi.request import Request
from rawasgi.response import Response

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>rawasgi: 42 streams</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ font-weight: 600; text-align: left; padding: 1.5rem 0 .25rem }}
td, th {{ border-top: 1px solid #8884; padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top }}
td:first-child {{ text-align: right; width: 2rem }}
code {{ font-size: .875rem }}
</style>
<h1>42 streams</h1>
<p>Each row is one thing that the documents stream; below are more of ours.
A link opens it here; <code>curl -N</code> shows it best.</p>
{tables}
</html>
"""
TABLE = "<table>\n<caption>{document}</caption>\n{rows}\n</table>"
ROW = "<tr><td>{number}</td><td><code>{method} {path}</code></td><td>{summary}</td>{links}</tr>"


def wants_page(request: Request) -> bool:
    """Whether it is asked for by a browser, which likes HTML better than JSON."""
    offered = ["application/json", "text/html"]
    return headers.accepts(b",".join(headers.getlist(request.headers, b"accept")), offered) == "text/html"


def listing(request: Request, apps: Mapping[str, str]) -> Response:
    """The rows of each of *apps*, a name and the prefix of its paths: HTML for who prefers it, else JSON."""
    if wants_page(request):
        return respond.html(page(apps), headers={"Vary": "Accept"})
    return respond.json([entry(row, apps) for row in ROWS + MORE], headers={"Vary": "Accept"})


def entry(row: Row, apps: Mapping[str, str]) -> dict[str, object]:
    return {
        "number": row.number,
        "document": row.document,
        "method": row.method,
        "kind": row.kind,
        "summary": row.summary,
        "paths": {name: prefix + row.example for name, prefix in apps.items()},
    }


def page(apps: Mapping[str, str]) -> str:
    tables = [
        TABLE.format(document=caption(document), rows="\n".join(line(row, apps) for row in rows))
        for document, rows in itertools.groupby(ROWS + MORE, key=lambda row: row.document)
    ]
    return PAGE.format(tables="\n".join(tables))


def caption(document: str) -> str:
    return f"Document {document}" if document.isdecimal() else f"More {document}"


def line(row: Row, apps: Mapping[str, str]) -> str:
    """One row of a table. Only what a browser can open is a link."""
    links = "".join(
        f'<td><a href="{escape(prefix + row.example)}">{escape(name)}</a></td>' if row.method == "GET" else "<td></td>"
        for name, prefix in apps.items()
    )
    return ROW.format(
        number=row.number, method=row.method, path=escape(row.path), summary=escape(row.summary), links=links
    )
