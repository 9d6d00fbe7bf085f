"""The separation engine: it loads weights and separates.

Of `stemsvc` it imports only the errors, the catalog's types and the engine's options.
"""
