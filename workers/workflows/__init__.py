"""Workflows in one process, without a service."""
