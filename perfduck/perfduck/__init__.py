"""perfduck: which kernel path got more expensive, and is it noise. `python -m perfduck` is the
command."""

from importlib.metadata import version

__version__ = version("perfduck")
