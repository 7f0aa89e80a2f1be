"""`python -m cisgram` is the `cisgram` command."""

import sys

from cisgram.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
