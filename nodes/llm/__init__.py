"""The only code that talks to a model: endpoints, retries, structured output, usage, the embedded server."""
