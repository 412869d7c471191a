"""The only code that waits, in both colours: it carries out what _protocol decides."""
