"""What Partwell promises of its speed, measured against floors of the same run."""
