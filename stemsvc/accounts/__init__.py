"""Who uses the service: keys, and how their webhooks are signed."""
