"""What a run did, cost and is expected to cost."""
