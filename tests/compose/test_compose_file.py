"""What the compose file promises, as `docker compose config` understands it. No engine is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devtools.paths import ROOT
from tests.compose.services import DEFAULTS_OF_COMPOSE, PASSED_ON

COMPOSE_FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
SECRETS = {"REDIS_PASSWORD": "redis-secret-7", "JUPYTER_TOKEN": "jupyter-secret-7"}
TIMEOUT = 60

OWN_PROGRAMS = {"capture", "video-worker", "live", "jupyter", "camera"}
RUNNING = OWN_PROGRAMS | {"redis"}


def _compose(folder: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    env_file = folder / "env"
    env_file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    # nothing of the caller's settings may play a part: variables of the shell win over those of the file
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_CONFIG") if name in os.environ}
    return subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE_FILE), "--env-file", str(env_file), *arguments],
        env=kept,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@pytest.fixture(autouse=True)
def _needs_compose() -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker command here")
    asked = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True, timeout=TIMEOUT)
    if asked.returncode:
        pytest.skip("the docker command here has no compose v2")


def _services(folder: Path, **settings: str) -> dict[str, dict[str, Any]]:
    done = _compose(folder, {**SECRETS, **settings}, "--profile", "*", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def _example_settings() -> dict[str, str]:
    lines = (line.partition("=") for line in EXAMPLE.read_text().splitlines() if re.match(r"[A-Z_0-9]+=", line))
    return {name: value for name, _, value in lines}


@pytest.mark.parametrize("missing", sorted(SECRETS))
@pytest.mark.parametrize("how", ["unset", "empty"])
def test_without_a_secret_compose_refuses_and_says_what_to_do(tmp_path: Path, missing: str, how: str) -> None:
    settings = {name: value for name, value in SECRETS.items() if name != missing}
    if how == "empty":
        settings[missing] = ""
    done = _compose(tmp_path, settings, "up", "--dry-run")
    assert done.returncode != 0
    assert missing in done.stderr
    assert "cp .env.example .env" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_example_needs_nothing_but_its_two_secrets_and_runs_the_demo(tmp_path: Path) -> None:
    example = _example_settings()
    assert {name for name, value in example.items() if not value} == set(SECRETS)
    done = _compose(tmp_path, {**example, **SECRETS}, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert set(services) == RUNNING | {"base"}
    assert services["capture"]["environment"]["RTSP_URL"] == "rtsp://camera:8554/stream"
    assert services["video-worker"]["environment"]["YOLO_MODEL"] == "scene.onnx"
    assert services["base"]["build"]["args"]["WITH_YOLOV8N"] == "0"


@pytest.mark.parametrize(("profiles", "scale"), [("demo", 1), ("", 0), (None, 0)])
def test_the_camera_of_the_demo_runs_in_the_demo_only(tmp_path: Path, profiles: str | None, scale: int) -> None:
    """By its scale: compose leaves running what belongs to a profile that is not active any more."""
    given = {} if profiles is None else {"COMPOSE_PROFILES": profiles}
    camera = _services(tmp_path, **given)["camera"]
    assert camera["scale"] == scale
    assert "profiles" not in camera


def test_images_of_ours_are_never_pulled(tmp_path: Path) -> None:
    """Compose would try, and show an error in red, before it builds them."""
    for name, service in _services(tmp_path).items():
        assert service.get("pull_policy") == ("never" if service["image"].startswith("data-pipeline-") else None), name


def test_the_number_of_workers_is_a_setting(tmp_path: Path) -> None:
    assert _services(tmp_path)["video-worker"]["scale"] == 1
    assert _services(tmp_path, WORKERS="3")["video-worker"]["scale"] == 3


def test_our_notebooks_are_mounted_where_nobody_writes_them(tmp_path: Path) -> None:
    mounts = {mount["target"]: mount for mount in _services(tmp_path)["jupyter"]["volumes"]}
    assert mounts["/opt/vcam/originals"]["source"] == str(ROOT / "notebooks")
    assert mounts["/opt/vcam/originals"]["read_only"] is True
    assert mounts["/lab/notebooks"]["source"] == str(ROOT / "my-notebooks")
    assert "ENV NOTEBOOKS_FROM=/opt/vcam/originals" in (ROOT / "Dockerfile.jupyter").read_text()


def test_secrets_and_what_people_make_stay_out_of_git_and_of_images() -> None:
    private = [
        ".env", ".env.old", ".env.before", ".env.before-2026", "cameras.toml", "cameras.toml.old",
        "cameras/cameras.toml",
        "vcam-2026-11-27.tgz", "queue.tgz", "certs/ca.key", "my-notebooks/ViewProcessResults.ipynb", "video/x.mp4",
    ]  # fmt: skip
    shown = subprocess.run(
        ["git", "check-ignore", *private], cwd=ROOT, check=False, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert shown.stdout.split() == private
    public = [".env.example", "notebooks/ViewProcessResults.ipynb", "cameras/.gitkeep", "my-notebooks/.gitkeep"]
    assert subprocess.run(["git", "check-ignore", *public], cwd=ROOT, check=False, timeout=TIMEOUT).returncode == 1


@pytest.mark.parametrize("service", sorted(PASSED_ON))
def test_every_setting_reaches_its_service_as_it_was_given(tmp_path: Path, service: str) -> None:
    given = {name: f"given {name}" for name in PASSED_ON[service]}
    environment = _services(tmp_path, **given)[service]["environment"]
    assert {name: environment.get(name) for name in given} == given


@pytest.mark.parametrize("service", sorted(PASSED_ON))
def test_a_setting_that_is_left_out_is_left_to_the_program(tmp_path: Path, service: str) -> None:
    environment = _services(tmp_path)[service]["environment"]
    assert {name: environment[name] for name in PASSED_ON[service]} == {
        name: DEFAULTS_OF_COMPOSE.get(name, "") for name in PASSED_ON[service]
    }


@pytest.mark.parametrize("given", ["video", "./elsewhere", "/mnt/vcam/video"])
def test_the_folder_of_the_volume_is_a_setting(tmp_path: Path, given: str) -> None:
    services = _services(tmp_path, VIDEO_DIR=given)
    for name in ("capture", "video-worker", "live", "jupyter"):
        mounts = {mount["target"]: mount["source"] for mount in services[name]["volumes"]}
        assert mounts[services[name]["environment"]["VIDEO_DIR"]] == str(ROOT / given)


def test_a_file_of_cameras_is_mounted_for_capture(tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.toml"
    cameras.touch()
    capture = _services(tmp_path, CAMERAS_FILE=str(cameras))["capture"]
    mounts = {mount["target"]: mount for mount in capture["volumes"]}
    assert mounts[capture["environment"]["CAMERAS_FILE"]]["source"] == str(cameras)


def test_every_variable_of_the_compose_files_is_explained_in_the_example() -> None:
    files = "".join((ROOT / name).read_text() for name in ("docker-compose.yml", *OVERRIDES))
    used = set(re.findall(r"\$\{([A-Z][A-Z_0-9]+)", files))
    explained = set(re.findall(r"^#?([A-Z_0-9]+)=", EXAMPLE.read_text(), re.MULTILINE))
    # for hosts with a package index of their own, set in the shell, not in .env
    assert used - explained == {"PIP_EXTRA_INDEX_URL"}
    # read by docker compose itself, and by programs without Docker
    assert explained - used == {"COMPOSE_FILE", "RDS_TLS", "RDS_CA", "HTTP_HOST"}


OVERRIDES = {
    "docker-compose.nvidia.yml": {},
    "docker-compose.intel.yml": {"RENDER_GID": "104"},
    "docker-compose.read-http.yml": {},
    "docker-compose.share.yml": {"REDIS_BIND": "192.168.1.10"},
    "docker-compose.worker.yml": {"RDS_HOST": "192.168.1.10", "CLIPS": "/mnt/vcam/video"},
}


def _overridden(folder: Path, name: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    arguments = ("-f", str(ROOT / name), "--profile", "*", "config", "--format", "json")
    return _compose(folder, {**SECRETS, **settings}, *arguments)


@pytest.mark.parametrize("name", sorted(OVERRIDES))
def test_an_override_takes_nothing_of_the_hardening_away(tmp_path: Path, name: str) -> None:
    done = _overridden(tmp_path, name, OVERRIDES[name])
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    for service in (services[one] for one in RUNNING & set(services)):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["deploy"]["resources"]["limits"]["pids"] > 0
        assert not service.get("privileged")


@pytest.mark.parametrize("name", sorted(name for name, settings in OVERRIDES.items() if settings))
def test_an_override_says_which_setting_it_wants(tmp_path: Path, name: str) -> None:
    for missing in OVERRIDES[name]:
        settings = {key: value for key, value in OVERRIDES[name].items() if key != missing}
        done = _overridden(tmp_path, name, settings)
        assert done.returncode != 0
        assert f"required variable {missing} is missing a value: give the" in done.stderr


def test_other_devices_are_asked_for_in_their_own_files_alone(tmp_path: Path) -> None:
    def worker(name: str) -> dict[str, Any]:
        config = json.loads(_overridden(tmp_path, name, OVERRIDES[name]).stdout)
        service: dict[str, Any] = config["services"]["video-worker"]
        live = config["services"]["live"]
        assert live["image"] == service["image"]
        assert live["environment"]["DETECTOR_DEVICE"] == service["environment"]["DETECTOR_DEVICE"]
        assert live.get("devices") == service.get("devices")
        return service

    nvidia = worker("docker-compose.nvidia.yml")
    assert nvidia["build"]["args"]["DEVICE"] == "nvidia"
    assert nvidia["environment"]["DETECTOR_DEVICE"] == "CUDA"
    assert nvidia["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    intel = worker("docker-compose.intel.yml")
    assert intel["devices"]
    assert intel["group_add"] == ["104"]
    plain = _services(tmp_path)["video-worker"]
    assert not {"devices", "group_add"} & set(plain)
    assert "reservations" not in plain["deploy"]["resources"]
    assert plain["image"] not in {nvidia["image"], intel["image"]}


def test_only_what_reads_zones_gets_a_way_out_and_only_by_its_own_file(tmp_path: Path) -> None:
    plain = _services(tmp_path)
    opened = json.loads(_overridden(tmp_path, "docker-compose.read-http.yml", {}).stdout)["services"]
    changed = {
        name for name in plain if set(opened[name].get("networks") or {}) != set(plain[name].get("networks") or {})
    }
    assert changed == {"video-worker", "live"}
    for name in changed:
        assert set(opened[name]["networks"]) == {"queue", "outside"}
        assert not opened[name].get("ports")


def test_further_engines_are_built_in_where_they_are_asked_for(tmp_path: Path) -> None:
    assert _services(tmp_path)["video-worker"]["build"]["args"]["WITH_OCR"] == ""
    args = _services(tmp_path, WITH_OCR="tesseract easyocr")["video-worker"]["build"]["args"]
    assert args["WITH_OCR"] == "tesseract easyocr"


def test_only_redis_over_tls_is_shared_and_only_at_the_address_given(tmp_path: Path) -> None:
    name = "docker-compose.share.yml"
    services = json.loads(_overridden(tmp_path, name, OVERRIDES[name]).stdout)["services"]
    (port,) = services["redis"]["ports"]
    assert (port["host_ip"], port["target"]) == ("192.168.1.10", 6380)


def test_a_further_machine_runs_workers_alone(tmp_path: Path) -> None:
    name = "docker-compose.worker.yml"
    config = json.loads(_overridden(tmp_path, name, OVERRIDES[name]).stdout)
    assert set(config["services"]) == {"base", "video-worker"}
    assert config["services"]["video-worker"]["environment"]["RDS_CA"] == "/tls/ca.crt"


def test_every_service_runs_with_as_little_as_it_needs(tmp_path: Path) -> None:
    services = _services(tmp_path, UID="1234", GID="567")
    for name in (*RUNNING, "export"):
        service = services[name]
        assert service["read_only"] is True, name
        assert service["init"] is True, name
        assert all(re.search(r":size=\d+", mount) for mount in service["tmpfs"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == ("redis" if name == "redis" else "1234:567"), name
        limits = service["deploy"]["resources"]["limits"]
        assert int(limits["memory"]) > 0, name
        assert limits["pids"] > 0, name
        assert service["restart"] == ("no" if name == "export" else "unless-stopped"), name
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name
        assert "stop_grace_period" in service, name


def test_only_the_pages_are_published_and_only_to_this_machine(tmp_path: Path) -> None:
    services = _services(tmp_path)
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(published) == {"jupyter", "capture"}
    assert {port["host_ip"] for ports in published.values() for port in ports} == {"127.0.0.1"}


def test_redis_and_the_workers_have_no_way_out(tmp_path: Path) -> None:
    done = _compose(tmp_path, SECRETS, "--profile", "*", "config", "--format", "json")
    project = json.loads(done.stdout)
    assert project["networks"]["queue"]["internal"] is True
    for name in RUNNING:
        outside = "outside" in project["services"][name]["networks"]
        assert outside == (name in {"capture", "jupyter", "camera"}), name
    assert "queue" not in project["services"]["camera"]["networks"]
    assert set(project["services"]["live"]["networks"]) == {"queue"}


def test_weights_are_exported_where_nothing_can_be_reached(tmp_path: Path) -> None:
    export = _services(tmp_path)["export"]
    assert export["network_mode"] == "none"
    assert "environment" not in export
    assert [mount["target"] for mount in export["volumes"]] == ["/models"]


def test_the_workers_may_not_write_models(tmp_path: Path) -> None:
    services = _services(tmp_path)
    writable = {
        name: not mount.get("read_only", False)
        for name, service in services.items()
        for mount in service.get("volumes", [])
        if mount["target"] == "/models"
    }
    assert writable == {"video-worker": False, "live": False, "jupyter": True, "export": True}


def test_modules_of_zones_are_mounted_read_only_where_they_run(tmp_path: Path) -> None:
    services = _services(tmp_path)
    writable = {
        name: not mount.get("read_only", False)
        for name, service in services.items()
        for mount in service.get("volumes", [])
        if mount["target"] == "/plugins"
    }
    assert writable == {"video-worker": False, "live": False}


def test_a_secret_is_in_the_environment_of_those_who_need_it_and_nowhere_else(tmp_path: Path) -> None:
    services = _services(tmp_path)
    holders: dict[str, set[str]] = {secret: set() for secret in SECRETS.values()}
    for name, service in services.items():
        environment = service.pop("environment", {})
        for secret, found in holders.items():
            if secret in environment.values():
                found.add(name)
            assert secret not in json.dumps(service), f"{name} shows a secret in its command, arguments or labels"
    assert holders[SECRETS["REDIS_PASSWORD"]] == {"redis", "capture", "video-worker", "live", "jupyter"}
    assert holders[SECRETS["JUPYTER_TOKEN"]] == {"jupyter"}


def test_a_password_with_special_characters_survives_compose(tmp_path: Path) -> None:
    awkward = 'p@ss "w#rd$HOME\\:/%'
    services = _services(tmp_path, REDIS_PASSWORD=awkward)
    # in config's output a dollar sign is doubled, as it would have to be in a compose file
    assert services["redis"]["environment"]["REDISCLI_AUTH"].replace("$$", "$") == awkward
    assert services["capture"]["environment"]["RDS_PSW"].replace("$$", "$") == awkward


def test_images_are_built_once_and_the_base_first(tmp_path: Path) -> None:
    services = _services(tmp_path)
    built = [service["image"] for service in services.values() if "build" in service]
    assert len(built) == len(set(built)) == 5
    assert services["camera"]["image"] == services["capture"]["image"]
    assert services["live"]["image"] == services["video-worker"]["image"]
    assert services["base"]["scale"] == 0
    for name in OWN_PROGRAMS:
        assert "base" in services[name]["depends_on"], name
