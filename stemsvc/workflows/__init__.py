"""Graphs of jobs, in which one's outputs are another's inputs. Nothing here knows a store, a queue or a storage."""
