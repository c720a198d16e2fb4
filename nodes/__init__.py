"""What happens in each box of the graph."""
