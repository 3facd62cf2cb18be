"""`python -m mhlib` and the command `mhlib`."""

from __future__ import annotations

import sys

from mhlib.errors import MhlibError


def main() -> None:
    """Run the command line; an error that a user can mend is one message and an exit code, never a traceback."""
    from mhlib.cli import app

    try:
        app()
    except MhlibError as error:
        print(f"mhlib: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
