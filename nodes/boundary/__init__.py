"""Between a caller and the boxes: which settings a run has, what may leave a box, what a run tells."""
