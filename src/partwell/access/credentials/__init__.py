"""The register of shared secrets: who knows which, since when, and changing them when somebody leaves.

No value of any secret is kept here, nor where errors, evidence, mail or logs could show it.
"""
