"""One attempt's life: lease, work, commit, or what each kind of failure does to the row."""
