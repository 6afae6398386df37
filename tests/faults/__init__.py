"""Memory that is short, calls that fail: what the fault tests use."""
