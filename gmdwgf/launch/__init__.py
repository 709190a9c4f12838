"""Execute runs: from a composed config, or a call from Python, to a finished run."""
