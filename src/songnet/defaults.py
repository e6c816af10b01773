"""What commands, Python and workflow do unless told otherwise."""

EXCERPT_SECONDS = 30.0  # from the middle of a file: what networks are trained and measured on
