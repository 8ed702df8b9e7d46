"""`python -m scrub` is the command line."""

from scrub.cli.main import main

main()
