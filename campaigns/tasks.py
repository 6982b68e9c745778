"""Every Celery task: ids in, one pipeline call."""
