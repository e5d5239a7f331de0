"""`python -m puna` is the same as the `puna` command."""

from puna.cli.entry import main

if __name__ == "__main__":
    main()
