"""Getting tracks from addresses: in a child process that can reach public hosts only."""
