"""`python -m monitor.cli.child WORDS`: a command that ends with the process that started it."""

from monitor.cli import main
from monitor.orphans import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    main()
