"""Measure rawasgi against bare ASGI and FastAPI: ``python -m benchmarks --help``."""
