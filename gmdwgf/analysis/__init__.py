"""Many runs as tables."""
