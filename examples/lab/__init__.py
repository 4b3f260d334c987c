"""The page of the demo: what each stream does under the hood, from rawasgi, from FastAPI and by hand, side by side.

``watching.py`` puts a tracer around each app, ``lines.py`` finds the line of the source that has made a message,
``topics.py`` keeps what was seen for the page to follow, ``excerpts.py`` has the code of an endpoint, ``checks.py``
runs the checker, ``serving.py`` is all that the page asks for, and ``page/`` the page itself: HTML, CSS and modules.
"""
