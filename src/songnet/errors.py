"""Errors in the user's input."""


class SongNetError(Exception):
    """An error that the user can fix.

    The message is one line that names the configuration key or the file.
    """


class UnusableClipError(Exception):
    """A clip that must be quarantined; the message is the reason."""


class NoSpaceError(SongNetError):
    """The disk is full."""
