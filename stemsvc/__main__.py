"""`python -m stemsvc`."""

from stemsvc.cli.main import main

if __name__ == "__main__":
    main()
