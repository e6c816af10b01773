"""One-off measurements whose figures the documents quote, each one command."""
