"""Everything on one machine: a private Redis, the api, the dispatcher and the workers as child processes."""
