"""scripts/certs: a real Redis takes what it makes, and our client believes it, and nobody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devtools.paths import ROOT
from devtools.redis_server import RedisDidNotStart, RedisServer
from shared_utils.config.redis import RedisSettings
from shared_utils.errors import QueueUnavailable, SettingError
from shared_utils.queue.jobs import connect, redis_errors

TIMEOUT_S = 20


def _certs(place: Path, *names: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CERTS_ROOT": str(place)}
    command = [str(ROOT / "scripts" / "certs"), *names]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)


def _ping(settings: RedisSettings) -> None:
    client = connect(settings)
    try:
        with redis_errors(settings):
            client.ping()
    finally:
        client.close()


@pytest.fixture
def tls_redis(tmp_path: Path) -> Iterator[RedisSettings]:
    """The settings for a Redis that speaks TLS alone, with a certificate for 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl command here")
    assert _certs(tmp_path, "127.0.0.1").returncode == 0
    server = RedisServer(tmp_path / "redis", certs=tmp_path / "certs")
    try:
        server.start()
    except RedisDidNotStart as error:
        if "tls" not in str(error).lower():
            raise
        pytest.skip(f"the Redis here speaks no TLS: {error}")
    yield server.settings
    server.stop()


def test_redis_is_reached_with_the_authority_that_was_made(tls_redis: RedisSettings) -> None:
    assert tls_redis.tls
    _ping(tls_redis)
    with pytest.raises(SettingError, match="RDS_PSW is not accepted"):
        _ping(replace(tls_redis, password="wrong"))


def test_another_authority_another_name_and_no_tls_are_refused(tls_redis: RedisSettings, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _certs(tmp_path / "other", "127.0.0.1")
    for settings in (
        replace(tls_redis, ca=tmp_path / "other" / "certs" / "ca.crt"),
        replace(tls_redis, ca=None),
        replace(tls_redis, host="localhost"),  # the certificate names the address alone
    ):
        with pytest.raises(QueueUnavailable, match=r"certificate verify failed.*RDS_CA"):
            _ping(settings)
    with pytest.raises(QueueUnavailable):
        _ping(replace(tls_redis, tls=False, ca=None))


def test_a_new_certificate_is_believed_by_those_who_have_the_authority(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    assert _certs(tmp_path, "127.0.0.1").returncode == 0
    before = {name: (certs / name).read_bytes() for name in ("ca.crt", "ca.key", "redis.crt")}
    assert _certs(tmp_path, "192.168.1.10", "head.lan").returncode == 0
    after = {name: (certs / name).read_bytes() for name in before}
    assert after["ca.crt"] == before["ca.crt"]
    assert after["ca.key"] == before["ca.key"]
    assert after["redis.crt"] != before["redis.crt"]


def test_keys_are_out_of_reach_of_other_users(tmp_path: Path) -> None:
    _certs(tmp_path, "127.0.0.1")
    certs = tmp_path / "certs"
    # redis.key itself is read in its container by another user, which gets in by the mount
    assert certs.stat().st_mode & 0o777 == 0o700
    assert (certs / "ca.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in certs.iterdir()) == ["ca.crt", "ca.key", "ca.srl", "redis.crt", "redis.key"]


@pytest.mark.parametrize("names", [(), ("a b",), ("x,IP:1.2.3.4",)])
def test_wrong_use_is_reported_and_makes_nothing(tmp_path: Path, names: tuple[str, ...]) -> None:
    done = _certs(tmp_path, *names)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "certs").exists()


def test_a_missing_authority_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"RDS_CA is .*no such file"):
        RedisSettings.from_env({"RDS_CA": str(tmp_path / "ca.crt")})


def test_tls_without_an_authority_of_ones_own_takes_the_machines() -> None:
    settings = RedisSettings.from_env({"RDS_TLS": "yes"})
    assert (settings.tls, settings.ca) == (True, None)
    assert not RedisSettings.from_env({}).tls
