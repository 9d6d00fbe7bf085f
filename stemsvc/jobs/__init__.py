"""What a job is: its record, its states, its pools, its file names. Nothing here asks a store or a network."""
