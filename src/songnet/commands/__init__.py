"""Options of each subcommand of ``songnet``; ``run`` imports libraries, so that help is fast."""
