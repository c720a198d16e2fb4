"""What a run tells of itself: report, traces, page."""
