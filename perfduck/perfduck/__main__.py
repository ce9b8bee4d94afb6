"""`python -m perfduck`."""

from perfduck_cli.start import main

main()
