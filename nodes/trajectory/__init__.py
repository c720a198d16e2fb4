"""The boxes of the graph `native`: a trained model opens threads by itself."""
