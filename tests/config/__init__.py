"""Settings, their checks, and the environment that they are read from."""
