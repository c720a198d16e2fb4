"""Nothing waits that need not: early begun calls, threads that need each other, answers that stream."""
