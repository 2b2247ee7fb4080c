"""How a registry is told who asks: what `docker login` left, and the tokens that registries give for it."""

from dataclasses import dataclass

import docker.auth
import requests
from docker.errors import DockerException
from requests.auth import AuthBase, HTTPBasicAuth, _basic_auth_str
from requests.utils import parse_dict_header

from pipeline.errors import UserError
from pipeline.release import is_safe_url
from pipeline.web import NoAnswer, innermost


@dataclass(frozen=True, repr=False)  # never in a traceback or a log
class Login:
    """What one registry is to be shown: a name with a password, or a token that stands for both."""

    name: str = ""
    password: str = ""
    identity_token: str = ""


class Bearing(AuthBase):
    """Sends this Authorization header, or none; and with either, nothing from a .netrc file."""

    def __init__(self, authorization: str | None) -> None:
        self.authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.authorization:
            request.headers["Authorization"] = self.authorization
        return request


def login(host: str) -> Login | None:
    """What `docker login HOST` left in docker's configuration or its credential helper, or None.

    Raises UserError when the helper that the configuration names fails.
    """
    try:
        # Docker Hub goes by a name of its own there, which the SDK knows.
        found = docker.auth.load_config().resolve_authconfig(None if host == "docker.io" else host) or {}
    except DockerException:
        # Not what the helper said: nobody knows what that holds.
        raise UserError(
            f"The login for {host} cannot be read: docker's configuration is wrong, or the credential helper "
            f"that it names fails. Try `docker login {host}`."
        ) from None
    fields = {key.lower(): value for key, value in found.items()}
    if token := fields.get("identitytoken"):
        return Login(identity_token=token)
    if fields.get("username"):
        return Login(fields["username"], fields.get("password") or "")
    return None


def authorization(
    session: requests.Session, host: str, refused: requests.Response, verify: str | bool, scope: str = ""
) -> str:
    """The Authorization header that a 401 asks for; `scope` is what the token is to allow, if not what the 401 names.

    Raises UserError when there is no login for that registry, or when it is not taken; NoAnswer when nobody says.
    """
    scheme, _, rest = refused.headers.get("WWW-Authenticate", "").partition(" ")
    known = login(host)
    if scheme.lower() == "basic":
        if known is None or not known.name:
            raise UserError(f"{host} wants a login, and there is none: run `docker login {host}`.")
        return str(_basic_auth_str(known.name, known.password))
    if scheme.lower() != "bearer":
        raise UserError(f"{host} wants a kind of login that is not known here: {scheme or 'it names none'}.")
    challenge = parse_dict_header(rest)  # type: ignore[no-untyped-call]
    realm = challenge.pop("realm", "")
    if not is_safe_url(realm):
        raise UserError(f"{host} sends logins to {realm!r}, which is not https: not done.")
    asked = {key: challenge[key] for key in ("service", "scope") if key in challenge}
    if scope:
        asked["scope"] = scope
    try:
        if known and known.identity_token:
            asked |= {"grant_type": "refresh_token", "refresh_token": known.identity_token}
            answer = session.post(
                realm, data=asked | {"client_id": "ossec-log-server"}, timeout=30, verify=verify
            )
        else:
            # Without a login too: a public repository gives everybody a token to read with.
            auth = HTTPBasicAuth(known.name, known.password) if known else Bearing(None)
            answer = session.get(realm, params=asked, auth=auth, timeout=30, verify=verify)
        if answer.status_code in (400, 401, 403):
            raise UserError(f"{host} refuses the login ({answer.status_code}): run `docker login {host}`.")
        # It limits requests, or has troubles of its own: the login may be right.
        if answer.status_code != 200:
            raise NoAnswer(f"{host} gives no token: {realm} answers {answer.status_code}. Try again later.")
        given = answer.json()
        return f"Bearer {given.get('token') or given['access_token']}"
    except (ValueError, LookupError) as problem:  # JSON's, which requests counts as its own, too
        raise NoAnswer(f"{host} gives no token: {realm} answers none. Look at its address.") from problem
    except requests.RequestException as problem:
        raise NoAnswer(
            f"{host} gives no token: {realm} cannot be reached: {innermost(problem)}. Look at this machine's network "
            "and proxy, and run the same again."
        ) from problem
