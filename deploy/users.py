"""Users of the tracking server: ``users.py add|password|remove NAME``, as its administrator.

The server is MLFLOW_TRACKING_URI, the administrator MLFLOW_TRACKING_USERNAME and
MLFLOW_TRACKING_PASSWORD. The new password is asked for, or read from standard input.
"""

import os
import sys
from getpass import getpass

from mlflow.exceptions import MlflowException
from mlflow.server import get_app_client


def main(words: list[str]) -> None:
    """Do what the words say."""
    if len(words) != 2 or words[0] not in ("add", "password", "remove"):
        raise SystemExit(__doc__)
    verb, name = words
    client = get_app_client("basic-auth", tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
    try:
        if verb == "remove":
            client.delete_user(name)
        elif verb == "add":
            client.create_user(name, asked(name))
        else:
            client.update_user_password(name, asked(name))
    except MlflowException as error:
        raise SystemExit(f"{verb} {name}: {error}") from error
    sys.stdout.write(f"{verb} {name}: done\n")


def asked(name: str) -> str:
    """The new password."""
    if sys.stdin.isatty():
        return getpass(f"password of {name}: ")
    return sys.stdin.readline().strip()


if __name__ == "__main__":
    main(sys.argv[1:])
