"""Workflow logic: configuration, plan, provenance and the bodies of jobs."""
