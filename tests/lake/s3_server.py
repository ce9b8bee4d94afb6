"""A server that speaks S3 (moto), in a process of its own, and what it has."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config

BUCKET = "fleet"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "very-secret"}


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """The variables by which commands find it, for as long as the block runs; it has a bucket."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | KEYS)
        try:
            _wait_for(url)
            client(url).create_bucket(Bucket=BUCKET)
            yield {**KEYS, "AWS_ENDPOINT_URL": url, "XDG_CACHE_HOME": str(folder / "cache")}
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str) -> None:
    for _ in range(600):
        with suppress(urllib3.exceptions.HTTPError):
            urllib3.request("GET", url, retries=False)
            return
        time.sleep(0.1)
    raise TimeoutError(url)


def client(url: str | None = None) -> Any:
    """Another client than the one of perfduck."""
    return boto3.client(
        "s3",
        endpoint_url=url or os.environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 3}),
    )


def objects(root: str) -> dict[str, str]:
    """The objects of a lake, s3://BUCKET/PREFIX, by what follows the prefix; each with its ETag."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    listed = [each for page in pages for each in page.get("Contents", ())]
    return {each["Key"].removeprefix(f"{prefix}/"): each["ETag"] for each in listed}


def copy_lake(root: str, to: str) -> None:
    """Copy all objects of a lake to another prefix of the bucket."""
    (bucket, _, prefix), (_, _, new) = (
        each.removeprefix("s3://").partition("/") for each in (root, to)
    )
    s3 = client()
    for name in objects(root):
        source = {"Bucket": bucket, "Key": f"{prefix}/{name}"}
        s3.copy_object(Bucket=bucket, Key=f"{new}/{name}", CopySource=source)


def put(root: str, name: str, content: bytes) -> None:
    """Write an object of a lake."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    client().put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)


def delete(root: str, name: str) -> None:
    """Delete an object of a lake."""
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    client().delete_object(Bucket=bucket, Key=f"{prefix}/{name}")
