"""The rules of the API, with no knowledge of HTTP libraries or of the upstream."""
