"""What a process needs around a job: lock, clock, console, alerts, ranks, servers."""
