"""The router to which every document adds its rows."""

from rawasgi.routing import Router

router = Router()
