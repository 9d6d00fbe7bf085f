"""The form of each kind of job, one file a kind; how they are found."""
