"""The one kind of failure that a user can mend."""


class PerfduckError(Exception):
    """Where, what was expected, what stood there. The command line prints it and exits 2."""
