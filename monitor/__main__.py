"""`python -m monitor` is `oddwatch`."""

import sys


def main() -> None:
    """Run one command; an interrupt ends it in a line also while all of it is still imported."""
    try:
        from monitor.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("oddwatch: interrupted\n")
        sys.exit(130)  # as shells have it
    finally:
        # CPython remembers an interrupt within an exec, such as makes a dataclass, as not caught:
        # `python -m` would end by the signal and not with the status; the next exec forgets it
        exec("")  # noqa: S102


if __name__ == "__main__":
    main()
