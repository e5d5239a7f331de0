"""`python -m puna` is the same as the `puna` command."""

from puna.cli.main import main

if __name__ == "__main__":
    main()
