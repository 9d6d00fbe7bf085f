"""Generators of TypeScript clients, and linters, from npm: installed on demand, by the lock file beside this one."""
