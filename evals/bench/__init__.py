"""The benchmark: this graph and others side by side, against a server that answers with chosen latencies."""
