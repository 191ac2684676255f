"""`python -m grandstand.cli`: the same as the console command."""

from grandstand.cli import main

main()
