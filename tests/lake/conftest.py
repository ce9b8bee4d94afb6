"""A server of S3 for tests that ask for one."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def s3_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables by which commands find the server."""
    from s3_server import s3_server  # needs packages that the other tests do without

    with s3_server(tmp_path_factory.mktemp("s3")) as env:
        yield env
