"""The whole service on one machine: starts a private Redis, the api, the dispatcher and the workers."""
