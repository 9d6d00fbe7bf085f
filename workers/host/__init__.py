"""A worker process on its machine: device, scratch disk, child processes, signs of life, shutdown."""
