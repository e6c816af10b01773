"""What can be wrong with what users give."""


class SongNetError(Exception):
    """Something that the user can put right.

    The message is one line that names the configuration key or the file.
    """


class UnusableClipError(Exception):
    """A clip that the quarantine lists; the message is the reason."""


class NoSpaceError(SongNetError):
    """A disk is full."""
