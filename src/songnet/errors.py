"""The one exception that users see."""


class SongNetError(Exception):
    """Something that the user can put right.

    The message is one line that names the configuration key or the file.
    """
