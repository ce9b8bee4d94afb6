"""Where a bucket is and with which keys it is asked: the variables and files that the AWS command
line and SDKs read.

https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html

Beside these, obstore asks by itself: a web identity (EKS), the container's and the instance's role.
"""

import os
import re
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as NoIniFile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perfduck_model.errors import PerfduckError

if TYPE_CHECKING:
    from obstore.store import S3Config

_DEFAULT_REGION = "us-east-1"
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_FOREIGN = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")
_HOST = re.compile(r"[a-z0-9_.:-]+")  # as urlsplit gives it, without the brackets of IPv6
_VISIBLE_ASCII = re.compile("[!-~]+")
_ROLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
          "AWS_CONTAINER_CREDENTIALS_FULL_URI")  # fmt: skip


@dataclass(frozen=True, slots=True)
class S3Settings:
    """`keys`: id, secret, and the token of a session, which may be empty; None: obstore asks for
    those of a role. `endpoint`: None for that of AWS."""

    region: str
    endpoint: str | None
    keys: tuple[str, str, str] | None

    @property
    def config(self) -> "S3Config":
        """As obstore takes it."""
        config: S3Config = {"region": self.region}
        if self.endpoint:
            config["endpoint"] = self.endpoint
        if self.keys:
            config["access_key_id"], config["secret_access_key"] = self.keys[:2]
            if token := self.keys[2]:
                config["session_token"] = token
        return config


def s3_settings(env: Mapping[str, str] = os.environ) -> S3Settings:
    """Those of this process. PerfduckError where there are no keys, or they are kept in a way that
    only the AWS command line reads."""
    profile = _profile(env)
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or profile.get("region")
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    endpoint = _checked(endpoint or profile.get("endpoint_url"))
    return S3Settings(region or _DEFAULT_REGION, endpoint, _keys(env, profile))


def _checked(endpoint: str | None) -> str | None:
    """The URL of an endpoint, None for none. PerfduckError for another text, of which obstore
    panics; the text may have a password."""
    try:
        url = urlsplit(endpoint or "")
        is_host = _HOST.fullmatch(url.hostname or "") is not None
        is_url = url.scheme in ("http", "https") and is_host and url.port != 0
    except ValueError:
        is_url = False
    if endpoint and not (is_url and _VISIBLE_ASCII.fullmatch(endpoint)):
        expected = "https://HOST or https://HOST:PORT ($AWS_ENDPOINT_URL, endpoint_url)"
        raise PerfduckError.at(
            where="S3", expected=expected, got="an endpoint that is not such a URL"
        )
    return endpoint or None


def _keys(env: Mapping[str, str], profile: Mapping[str, str]) -> tuple[str, str, str] | None:
    source = {name.lower(): value for name, value in env.items()}
    if not any(source.get(name) for name in _KEYS[:2]):
        source = dict(profile)
    key, secret, token = (source.get(name, "") for name in _KEYS)
    if key and secret:
        return key, secret, token
    if key or secret:
        expected = "$AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or both in ~/.aws/credentials"
        raise PerfduckError.at(where="S3", expected=expected, got="one of them")
    if foreign := next((name for name in _FOREIGN if name in profile), None):
        name = env.get("AWS_PROFILE") or "default"
        how = f'eval "$(aws configure export-credentials --profile {name} --format env)"'
        raise PerfduckError.at(where=f"S3: profile {name}", expected=f"keys ({how})", got=foreign)
    is_off = env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    if is_off and not any(env.get(name) for name in _ROLES):
        raise no_keys()
    return None


def no_keys() -> PerfduckError:
    """There are none, and no role that would have some."""
    expected = "keys: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or a role"
    return PerfduckError.at(where="S3", expected=expected, got="none")


def _profile(env: Mapping[str, str]) -> dict[str, str]:
    """What the files say of the profile that is meant. PerfduckError where $AWS_PROFILE names one
    that is in neither."""
    name = env.get("AWS_PROFILE") or "default"
    config = _section(_path(env, "AWS_CONFIG_FILE", "config"), f"profile {name}")
    if name == "default":
        config = config or _section(_path(env, "AWS_CONFIG_FILE", "config"), name)
    credentials = _section(_path(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), name)
    if env.get("AWS_PROFILE") and config is None and credentials is None:
        expected = "a profile of ~/.aws/config or ~/.aws/credentials"
        raise PerfduckError.at(where="$AWS_PROFILE", expected=expected, got=name)
    return (config or {}) | (credentials or {})


def _path(env: Mapping[str, str], variable: str, name: str) -> Path:
    return Path(env.get(variable) or f"~/.aws/{name}").expanduser()


def _section(path: Path, name: str) -> dict[str, str] | None:
    """None where there is no such file or section."""
    files = ConfigParser(interpolation=None, strict=False, default_section="\0")
    try:
        files.read_string(path.read_text("utf-8"), str(path))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, NoIniFile) as error:
        got = error.strerror if isinstance(error, OSError) else "another file"
        raise PerfduckError.at(path, expected="profiles of AWS", got=got) from error
    return dict(files[name]) if files.has_section(name) else None
