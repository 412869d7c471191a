"""The backend over a socket: who may ask, what is answered, what is passed on, how the process ends."""
