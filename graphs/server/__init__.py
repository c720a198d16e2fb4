"""Routes and authentication of the HTTP server."""
