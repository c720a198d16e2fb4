"""What threads share and come to: fan-out, stragglers, results, cache, context rot."""
