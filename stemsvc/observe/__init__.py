"""What the processes report of themselves: logs, metrics, traces."""
