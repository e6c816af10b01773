"""Subcommands of ``songnet``: options here, work in the packages. Help loads no library."""
