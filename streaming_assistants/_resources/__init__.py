"""The methods that a user calls: parameters, requests, and thin functions of both colours."""
