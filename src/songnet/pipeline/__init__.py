"""What the workflow asks: configuration, plan, provenance, jobs."""
