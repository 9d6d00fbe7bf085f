"""What work there is: each kind of job, and where the installed ones are found."""
