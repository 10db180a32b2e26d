"""Accounts that outlive their people: everybody's accounts against everybody who has left."""
