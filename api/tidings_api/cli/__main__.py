"""`python -m tidings_api.cli`: the supervisor starts its parts this way, without the PATH."""

from tidings_api.cli import main

main()
