"""Pages about the signed-in person and the team's members."""
