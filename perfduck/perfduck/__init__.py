"""perfduck: which kernel path got more expensive, and is it noise. `python -m perfduck` is the
command."""


def __getattr__(name: str) -> str:
    if name == "__version__":  # to look it up takes 20 ms of every start of the command
        from importlib.metadata import version

        return version("perfduck")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
