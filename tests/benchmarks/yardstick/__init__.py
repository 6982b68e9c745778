"""django-post_office, against which throughput is compared: an app of its own settings."""
