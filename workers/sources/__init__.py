"""Fetches tracks from URLs, in a child process that can reach only public hosts."""
