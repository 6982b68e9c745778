"""Asks this machine's web server whether it is well (docker-compose.yml, Dockerfile); exit 0 if it is."""

import http.client
import os
import sys

PORT = int(os.environ.get("HEALTHCHECK_PORT", "8000"))
# Django answers only to its own names.
HOST = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")

connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
try:
    connection.request("GET", "/healthz", headers={"Host": HOST, "X-Forwarded-Proto": "https"})
    status = connection.getresponse().status
except OSError as error:
    sys.exit(f"{error}")
sys.exit(0 if status == 204 else f"HTTP {status}")
