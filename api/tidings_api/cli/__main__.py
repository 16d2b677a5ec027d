"""`python -m tidings_api.cli`: how the supervisor starts its parts, whatever is on the PATH."""

from tidings_api.cli import main

main()
