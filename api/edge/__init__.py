"""Everything around a view: who asks, how much at a time, what an error looks like."""
