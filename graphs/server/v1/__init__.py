"""The workflow as a model of OpenAI's API: chat completions and responses."""
