import makd.engine.hooks  # noqa: F401
