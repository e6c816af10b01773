"""What people look at: the page, tables and figures of a run."""
