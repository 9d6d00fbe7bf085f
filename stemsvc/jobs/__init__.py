"""The job: its record, states, pools and file names. No module here calls a store or a network."""
