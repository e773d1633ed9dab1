"""``python -m versus``."""

from versus.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
