"""One format a file: values in, bytes out, and back. Nothing here awaits, and nothing here knows ASGI."""
