"""What can be done to journeys and their steps. One operation, one transaction, one evidence event."""
