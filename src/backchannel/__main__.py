"""`python -m backchannel`: the command line without its script."""

from backchannel.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
