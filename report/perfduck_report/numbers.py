"""Numbers as people read them: three digits that matter."""

from datetime import datetime


def amount(value: float) -> str:
    """A weight or a rate: 0.0421, 4.21, 42.1, 421, 4,210."""
    size = abs(value)
    if value == 0 or size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def cell(value: object) -> str:
    """A cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return amount(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        return " ".join(f"{key}={entry}" for key, entry in sorted(value.items()))
    return str(value)
