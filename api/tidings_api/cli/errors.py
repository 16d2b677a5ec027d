"""What commands raise. Imports nothing, since `dev` has to set metrics up before it imports the store."""


class CommandFailed(Exception):
    """A command can't do what it was asked; the text is for the operator."""


class WrongUsage(Exception):
    """The command line itself can't be used; the text says what to write instead."""
