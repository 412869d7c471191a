"""What goes on after an answer: jobs that drive runs, feeds that show them, requests to the upstream."""
