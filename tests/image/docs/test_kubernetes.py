"""examples/kubernetes: what Kustomize and Helm make of it, held against Kubernetes' schemas and rules of security.

Nothing of it is run in a cluster. The test hook's script is, in the image.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from pipeline import image, release
from pipeline.project import ROOT, cache_dir
from pipeline.server import server as run_server

KUBERNETES = ROOT / "examples" / "kubernetes"
VERSIONS = ("1.35", "1.36", "1.37")
# Each overlay, and the chart's values that say the same.
OVERLAYS: dict[str, dict[str, Any]] = {
    "single": {},
    "several": {"replicas": 3},
    "daemonset": {"kind": "DaemonSet"},
}
METRICS = "components: [../../components/metrics]\n"
# What checkov finds, and why it stays.
ACCEPTED = {
    "CKV_K8S_11": "a limit of CPU would let lines wait in a burst",
    "CKV_K8S_15": "the image's tags never move",
    "CKV_K8S_43": "the digest is that of the reader's own registry",
}
ACCEPTED_ON_NODES = ACCEPTED | {
    "CKV_K8S_25": "the first container gives the node's folder to the server's user",
    "CKV_K8S_26": "host ports are what it is for",
}
Object = dict[str, Any]


def installed(name: str) -> Path:
    """The folder in the cache with what that list names. Skips where it can't be installed."""
    locked = Path(__file__).with_name(f"{name}.txt")
    folder = cache_dir() / f"{name}-{hashlib.sha256(locked.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        part = folder.with_suffix(f".{os.getpid()}.part")
        options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--target", str(part)]
        pip = [sys.executable, "-m", "pip", "install", *options, "--requirement", str(locked)]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"KUBERNETES' FILES NOT CHECKED: {name} can't be installed: {done.stderr[-500:]}")
        part.rename(folder)
    return folder


@pytest.fixture(scope="module")
def tools() -> Path:
    return installed("kubernetes")


def run(tools: Path, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(tools)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, **options)


def kustomized(tools: Path, folder: Path) -> str:
    done = run(tools, str(tools / "bin" / "kubectl"), "kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(tools: Path, values: dict[str, Any]) -> dict[str, str]:
    """What Helm makes of the chart, by template. Raises AssertionError with Helm's words where it refuses."""
    script = (
        "import json, sys, helm_python\n"
        "with helm_python.Chart.load(sys.argv[1]) as chart:\n"
        "    print(json.dumps(chart.render(json.loads(sys.argv[2]), name='ossec', namespace='ossec')))"
    )
    done = run(tools, sys.executable, "-c", script, str(KUBERNETES / "chart"), json.dumps(values))
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return {name.partition("/templates/")[2]: text for name, text in found.items()}


def objects(*texts: str) -> list[Object]:
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def workload(of: list[Object]) -> Object:
    [found] = [one for one in of if one["kind"] in ("StatefulSet", "DaemonSet")]
    return found


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_schemas_of_three_versions_take_it_and_no_other(tools: Path, tmp_path: Path) -> None:
    right: list[str] = []
    wrong: list[str] = []
    for overlay in OVERLAYS:
        made = kustomized(tools, KUBERNETES / "overlays" / overlay)
        files = {
            f"{overlay}.yaml": made,
            f"{overlay}-wrong.yaml": made.replace("readOnlyRootFilesystem", "readonlyRootFilesystem"),
            f"{overlay}-test.yaml": rendered(tools, OVERLAYS[overlay])["tests/line.yaml"],
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            (wrong if "-wrong" in name else right).append(name)
    versions = [word for version in VERSIONS for word in ("--kubernetes-version", version)]
    validate = [sys.executable, "-m", "kubernetes_validate", "--strict", *versions]
    done = run(tools, *validate, *right, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(tools, *validate, *wrong, cwd=tmp_path)
    refused = re.findall(
        r"^ERROR (\S+) did not validate .*against version ([^:]+): ", done.stdout, re.MULTILINE
    )
    assert set(refused) == {(name, version) for name in wrong for version in VERSIONS}


def plain(one: Object) -> Object:
    """Without what only one of the two writes: labels, annotations, hashes in the names of ConfigMaps."""
    text = re.sub(r"(ossec-(?:settings|rules))-[a-z0-9]{10}\b", r"\1", json.dumps(one))
    found: Object = json.loads(text)
    for metadata in (found["metadata"], found.get("spec", {}).get("template", {}).get("metadata", {})):
        for label in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
            metadata.get("labels", {}).pop(label, None)
        metadata.pop("annotations", None)
    for claim in found.get("spec", {}).get("volumeClaimTemplates", []):
        claim["metadata"].pop("labels", None)
    return found


@pytest.mark.parametrize("metrics", [False, True])
def test_helm_makes_the_same_as_kustomize(tools: Path, overlay: str, metrics: bool, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(KUBERNETES), str(tmp_path / "k")], check=True)
    folder = tmp_path / "k" / "overlays" / overlay
    if metrics:
        with (folder / "kustomization.yaml").open("a") as file:
            file.write(METRICS)
    ours = objects(kustomized(tools, folder))
    texts = rendered(tools, {**OVERLAYS[overlay], "metrics": {"enabled": metrics}})
    theirs = objects(*(text for name, text in texts.items() if name not in ("NOTES.txt", "tests/line.yaml")))
    by_name = {(one["kind"], one["metadata"]["name"]): one for one in map(plain, theirs)}
    for one in map(plain, ours):
        if one["kind"] != "Namespace":  # helm install --create-namespace
            assert by_name.pop((one["kind"], one["metadata"]["name"])) == one
    assert not by_name
    assert ("ServiceMonitor" in {one["kind"] for one in ours}) is metrics


def test_the_chart_refuses_wrong_values(tools: Path) -> None:
    for values, said in (
        ({"kind": "Deployment"}, "/kind"),
        ({"replicas": 0}, "/replicas"),
        ({"settings": {"OSSEC_RELP": True}}, "/settings/OSSEC_RELP"),
        ({"settings": {"ossec_relp": "yes"}}, "ossec_relp"),
        ({"persistence": {"size": "10 GB"}}, "/persistence/size"),
        ({"replicaCount": 3}, "replicaCount"),
    ):
        with pytest.raises(AssertionError, match=re.escape(said)):
            rendered(tools, values)


def test_the_notes_say_where_syslog_goes(tools: Path) -> None:
    assert "kubectl get service ossec --namespace ossec" in rendered(tools, {})["NOTES.txt"]
    assert "Senders choose a node" in rendered(tools, {"kind": "DaemonSet"})["NOTES.txt"]
    allowed = {"settings": {"OSSEC_ALLOWED_IPS": "192.0.2.0/24"}}
    assert "Who may send: 192.0.2.0/24" in rendered(tools, allowed)["NOTES.txt"]


@pytest.mark.parametrize("name", ["single", "several"])
def test_pods_have_the_level_restricted(tools: Path, name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, row by row."""
    made = objects(kustomized(tools, KUBERNETES / "overlays" / name))
    pods = [
        workload(made)["spec"]["template"]["spec"],
        *(one["spec"] for one in objects(rendered(tools, {})["tests/line.yaml"])),
    ]
    for pod in pods:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] != 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {one["name"] for one in pod["securityContext"].get("sysctls", [])} <= {
            "net.ipv4.ip_unprivileged_port_start"
        }
        for volume in pod.get("volumes", []):
            assert volume.keys() - {"name"} <= {"configMap", "emptyDir", "secret", "persistentVolumeClaim"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
            assert "hostPort" not in json.dumps(container)
    [namespace] = [one for one in made if one["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_several_servers_keep_a_sender(tools: Path) -> None:
    made = objects(kustomized(tools, KUBERNETES / "overlays" / "several"))
    [service] = [one for one in made if one["kind"] == "Service" and one["metadata"]["name"] == "ossec"]
    assert service["spec"]["sessionAffinity"] == "ClientIP"
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert workload(made)["spec"]["replicas"] == 3


def test_another_rule_replaces_the_pods(tools: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(KUBERNETES), str(tmp_path / "k")], check=True)
    before = kustomized(tools, tmp_path / "k" / "overlays" / "single")
    (tmp_path / "k" / "base" / "local_rules.xml").write_text("<group name='other,'></group>\n")
    after = kustomized(tools, tmp_path / "k" / "overlays" / "single")
    assert workload(objects(before))["spec"]["template"] != workload(objects(after))["spec"]["template"]
    texts = [rendered(tools, {"rules": rules})["server.yaml"] for rules in ("", "<group name='x,'></group>")]
    assert texts[0] != texts[1]


def test_checkov_finds_only_what_is_accepted(tools: Path, tmp_path: Path) -> None:
    checkov = installed("checkov")
    files = {overlay: f"{overlay}.yaml" for overlay in OVERLAYS}
    for overlay, file in files.items():
        (tmp_path / file).write_text(kustomized(tools, KUBERNETES / "overlays" / overlay))
    # All at once: to start it takes longer than to check a file.
    command = [sys.executable, "-m", "checkov.main", "--file", *files.values(), "--framework", "kubernetes"]
    done = run(checkov, *command, "--skip-download", "--compact", "--output", "json", cwd=tmp_path)
    found = json.loads(done.stdout)["results"]
    for overlay, file in files.items():
        passed, failed = (
            [one["check_id"] for one in found[f"{kind}_checks"] if one["file_path"] == f"/{file}"]
            for kind in ("passed", "failed")
        )
        assert len(passed) > 80, overlay
        assert set(failed) == set(ACCEPTED_ON_NODES if overlay == "daemonset" else ACCEPTED), overlay


@pytest.fixture
def hook(tools: Path) -> str:
    [pod] = objects(rendered(tools, {})["tests/line.yaml"])
    return str(pod["spec"]["containers"][0]["command"][2]).replace(
        "/dev/tcp/ossec-pods/", "/dev/tcp/127.0.0.1/"
    )


def test_the_test_hook_sees_an_acknowledged_line(
    client: docker.DockerClient, built: image.Image, hook: str, tools: Path
) -> None:
    settings = objects(rendered(tools, {})["configuration.yaml"])
    [environment] = [one["data"] for one in settings if one["metadata"]["name"] == "ossec-settings"]
    with run_server(client, built.name, environment) as server:
        server.wait_listening()
        assert server.run("bash", "-c", hook) == "acknowledged\n"
        # One who may not send is told so.
        refused = hook.replace("exit 1", "exit 7").replace("127.0.0.1", "127.0.0.2")
        code, output = server.answer("bash", "-c", refused.replace("2514", "2515"))
        assert code != 0, output


def test_the_newest_image_is_what_they_run(tools: Path, overlay: str) -> None:
    name = f"ossec-log-server:{release.find().immutable_tag}"
    for made in (
        objects(kustomized(tools, KUBERNETES / "overlays" / overlay)),
        objects(rendered(tools, OVERLAYS[overlay])["server.yaml"]),
    ):
        pod = workload(made)["spec"]["template"]["spec"]
        assert {one["image"] for one in [*pod["containers"], *pod.get("initContainers", [])]} == {name}
        assert pod["enableServiceLinks"] is False
        assert pod["containers"][0]["livenessProbe"]["exec"]["command"] == [
            "ossec-log-server",
            "health",
            "--own",
        ]
