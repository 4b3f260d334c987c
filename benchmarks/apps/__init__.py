"""The same endpoints three times: by hand, with rawasgi and with FastAPI."""
