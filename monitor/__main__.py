"""`python -m monitor` is `oddwatch`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
