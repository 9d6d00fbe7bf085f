"""The separation engine: it loads weights and separates.

Of `stemsvc` it imports only the errors, the catalog's types, the engine's options and what the processor has.
"""
