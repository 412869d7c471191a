"""From a file to passages that can be searched: what it is, what it says, where it is cut."""
