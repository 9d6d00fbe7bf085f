"""What assistants call: a server of the Model Context Protocol, which is a client of the api like any other.

Only `server` and `http` import the SDK `mcp`, which the extra `mcp` installs.
"""
