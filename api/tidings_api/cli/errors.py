"""Errors of commands. Imports nothing: `dev` has to set up metrics before it imports the store."""


class CommandFailed(Exception):
    """A command failed. The text is for the operator: the fault, a colon, the cure."""


class WrongUsage(Exception):
    """The command line is wrong. The text says what to write instead."""
