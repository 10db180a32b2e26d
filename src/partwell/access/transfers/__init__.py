"""Handing over what the leaver looked after: to whom, when, and what the successor said of it."""
