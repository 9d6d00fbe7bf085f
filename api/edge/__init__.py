"""Everything around a view: who asks, how many requests run at a time, what an error looks like."""
