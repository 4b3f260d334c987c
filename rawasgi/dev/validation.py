"""``validate(app)``: the same app, held against the spec."""

from rawasgi.asgi import App


def validate(app: App) -> App:
    return app
