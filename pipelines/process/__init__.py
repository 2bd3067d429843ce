"""What a process needs around a job: lock, clock, console, ranks, servers."""
