"""One function for each route: from a checked request to the engine and back."""
