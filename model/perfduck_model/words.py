"""Numbers of things, in words."""


def counted(number: float, thing: str) -> str:
    """'1 line', '1,200 lines'; what is no English word, such as kB, stays as it is."""
    is_word = thing.islower() and thing.isalpha() and len(thing) > 2 and not thing.endswith("s")
    return f"{number:,.15g} {thing}{'s' if is_word and number != 1 else ''}"
