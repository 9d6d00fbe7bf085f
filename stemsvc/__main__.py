"""`python -m stemsvc`."""

from stemsvc.cli import main

if __name__ == "__main__":
    main()
