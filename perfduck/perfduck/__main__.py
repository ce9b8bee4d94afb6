"""`python -m perfduck`."""

from perfduck_cli.main import main

main()
