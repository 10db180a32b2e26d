"""The first run: what a fresh installation still needs, and trying it out on oneself."""
