"""A bucket made, copied to a folder, copied back: ``bucket.py make|pull|push s3://B/F [FOLDER]``.

Keys and address come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and MLFLOW_S3_ENDPOINT_URL.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def make(client: Any, bucket: str) -> None:
    """Make the bucket where it is missing."""
    if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=bucket)


def pull(client: Any, bucket: str, prefix: str, folder: Path) -> int:
    """Copy everything below the prefix into a folder; what is there in the same size stays."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [entry for page in pages for entry in page.get("Contents", ())]
    for entry in found:
        target = (folder / entry["Key"].removeprefix(prefix)).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise SystemExit(f"{entry['Key']!r} leads out of {folder}; rename that object")
        if not target.is_file() or target.stat().st_size != entry["Size"]:
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, entry["Key"], str(target))
    return len(found)


def push(client: Any, bucket: str, prefix: str, folder: Path) -> int:
    """Copy every file of a folder below the prefix."""
    make(client, bucket)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        client.upload_file(str(path), bucket, prefix + path.relative_to(folder).as_posix())
    return len(files)


def main(words: list[str]) -> None:
    """Do what the words say."""
    if len(words) < 2 or words[0] not in ("make", "pull", "push"):
        raise SystemExit(__doc__)
    place = urlsplit(words[1])
    if place.scheme != "s3" or not place.netloc:
        raise SystemExit(f"bucket: expected s3://BUCKET/FOLDER, received {words[1]!r}")
    prefix = f"{place.path.strip('/')}/" if place.path.strip("/") else ""
    try:
        client = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"))
        if words[0] == "make":
            make(client, place.netloc)
            return
        copy = pull if words[0] == "pull" else push
        sys.stdout.write(f"{copy(client, place.netloc, prefix, Path(words[2]))} files\n")
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(f"{words[1]}: {error}") from error


if __name__ == "__main__":
    main(sys.argv[1:])
