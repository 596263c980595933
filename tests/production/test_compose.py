"""docker-compose.yml: valid, hardened, and its commands are those of the supervisor."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labelhub.rounds import dispatch
from labelhub.supervision.specs import ProcessSpec
from labelhub.supervision.standard import Site, standard_specs
from tests.architecture.environment_names import names_read
from tests.production.files import COMPOSE, compose, image_environment, own_services, services

# The service of each process that the supervisor runs.
SERVICE_OF = {
    "web": "web",
    "default": "default-worker",
    "training": "training-worker",
    "ranking": "ranking-worker",
    "inference": "inference-worker",
    "beat": "beat",
}


def supervised() -> dict[str, ProcessSpec]:
    """The supervisor's processes, for a site like the compose file's."""
    site = Site(
        base_dir=Path("/srv/labelhub"),
        data_dir=Path("/data"),
        redis_url="redis://redis:6379/0",
        bind="0.0.0.0",  # noqa: S104  inside a container
        port=8000,
    )
    return {spec.name: spec for spec in standard_specs(site)}


def as_in_a_container(spec: ProcessSpec) -> list[str]:
    """The supervisor's command where ``python`` is on PATH and nobody is root."""
    words = list(spec.command)
    if "-W" in words:
        at = words.index("-W")
        del words[at : at + 2]  # the warning about root
    words = ["python" if word == sys.executable else word for word in words]
    return ["nice", "-n", str(spec.nice), *words] if spec.nice else words


def each_service() -> list[Any]:
    return [pytest.param(service, id=name) for name, service in services().items()]


def test_the_file_is_valid_by_the_published_schema() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [str(check), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", each_service())
def test_the_log_of_a_service_cannot_fill_the_disk(service: dict[str, Any]) -> None:
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_every_process_of_the_supervisor_is_a_service() -> None:
    assert supervised().keys() == SERVICE_OF.keys()
    assert own_services().keys() == {*SERVICE_OF.values(), "migrate"}


@pytest.mark.parametrize("name", SERVICE_OF)
def test_a_service_runs_the_command_that_the_supervisor_runs(name: str) -> None:
    assert own_services()[SERVICE_OF[name]]["command"] == as_in_a_container(supervised()[name])


def test_every_queue_has_a_service_that_consumes_it() -> None:
    consumed = []
    for service in own_services().values():
        words = service["command"]
        if "-Q" in words:
            consumed += words[words.index("-Q") + 1].split(",")
    assert sorted(consumed) == sorted(dispatch.QUEUES)


def test_migrations_run_once_and_before_everything_of_ours() -> None:
    ours = own_services()
    assert ours.pop("migrate")["command"] == ["python", "manage.py", "migrate", "--noinput"]
    for name, service in ours.items():
        assert service["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }, name


def test_the_web_starts_without_the_broker() -> None:
    assert "redis" not in own_services()["web"]["depends_on"]


def test_every_secret_volume_network_and_service_that_is_named_is_declared() -> None:
    whole = compose()
    for name, service in services().items():
        assert set(service.get("secrets", [])) <= whole["secrets"].keys(), name
        assert set(service["networks"]) <= whole["networks"].keys(), name
        assert set(service.get("depends_on", {})) <= whole["services"].keys(), name
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= whole["volumes"].keys(), name


def test_no_secret_volume_or_network_is_declared_for_nobody() -> None:
    whole = compose()
    used = {"secrets": set(), "networks": set(), "volumes": set()}
    for service in services().values():
        used["secrets"] |= set(service.get("secrets", []))
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {volume.partition(":")[0] for volume in service.get("volumes", [])}
    assert {kind: whole[kind].keys() for kind in used} == used


def test_every_secret_comes_from_a_file_outside_the_repository() -> None:
    ignored = (COMPOSE.parent / ".gitignore").read_text().splitlines()
    assert "secrets/" in ignored
    for name, secret in compose()["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}


def test_every_file_that_an_environment_names_is_a_secret_of_its_service() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if value.startswith("/run/secrets/"):
                assert variable.endswith("_FILE"), variable
                assert value.removeprefix("/run/secrets/") in service["secrets"], name


def test_no_value_looks_like_a_secret() -> None:
    for service in services().values():
        for variable, value in service.get("environment", {}).items():
            if re.search("KEY|PASSWORD|URL|TOKEN|SECRET", variable):
                assert value.startswith("/run/secrets/"), variable


def test_every_variable_is_one_that_the_code_reads() -> None:
    known = names_read()
    for name, service in own_services().items():
        given = {variable.removesuffix("_FILE") for variable in service["environment"]}
        assert given <= known, name
    given = {name for name in image_environment() if not name.startswith(("PYTHON", "PIP_"))}
    assert given <= known


def test_our_services_run_in_production_mode() -> None:
    for service in own_services().values():
        assert service["environment"]["LABELHUB_MODE"] == "production"


@pytest.mark.parametrize("service", each_service())
def test_a_service_is_not_root_and_can_become_nobody_else(service: dict[str, Any]) -> None:
    assert service["user"].partition(":")[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("service", each_service())
def test_a_service_writes_to_its_volumes_and_to_memory_only(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]  # noqa: S108  a folder in memory
    for volume in service.get("volumes", []):
        assert not volume.startswith((".", "/", "~")), "nothing of the host is mounted"


@pytest.mark.parametrize("service", each_service())
def test_a_service_has_an_upper_limit_of_memory_and_processes(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert limits["pids"] > 0


@pytest.mark.parametrize("name", [name for name in services() if name != "migrate"])
def test_a_service_is_started_again_and_asked_for_its_health(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["init"] is True


def test_ranking_workers_do_not_answer_for_one_another() -> None:
    """Heartbeats lie in DATA_DIR/run, which the shared volume would hold for all of them."""
    for service in own_services().values():
        assert any(entry.startswith("/data/run:") for entry in service["tmpfs"])
    assert "container_name" not in services()["ranking-worker"]


def test_only_the_web_has_a_port_and_only_this_machine_reaches_it() -> None:
    published = {
        name: service["ports"] for name, service in services().items() if "ports" in service
    }
    assert published == {"web": ["127.0.0.1:8000:8000"]}


def test_rows_messages_and_workers_have_no_way_to_the_internet() -> None:
    assert compose()["networks"]["inside"]["internal"] is True
    for name, service in services().items():
        assert service["networks"] == (["inside", "outside"] if name == "web" else ["inside"]), name


@pytest.mark.parametrize("service", each_service())
def test_an_image_is_pinned_to_a_full_version(service: dict[str, Any]) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", service["image"])


def test_pictures_and_models_are_shared_by_all_of_ours() -> None:
    for name, service in own_services().items():
        assert service["volumes"] == ["data:/data"], name
        assert service["environment"]["DATA_DIR"] == "/data", name


def test_the_image_is_built_with_the_torch_that_the_operator_names() -> None:
    for service in own_services().values():
        assert service["build"] == {"context": ".", "args": {"TORCH_INDEX": ""}}


def test_the_variable_that_must_be_given_is_asked_for_by_name() -> None:
    text = COMPOSE.read_text()
    assert re.findall(r"\$\{(\w+):\?", text) == ["LABELHUB_HOST"]
    assert "LABELHUB_HOST=" in text.partition("services:")[0], "the header shows how"


def test_shell_health_checks_are_shell() -> None:
    for name, service in services().items():
        test = service["healthcheck"].get("test", [])
        if test and test[0] == "CMD-SHELL":
            done = subprocess.run(
                ["sh", "-n", "-c", test[1]], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{name}: {done.stderr} in {shlex.quote(test[1])}"
