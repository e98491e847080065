#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The image for KubeVirt's pr-helper, and the files that put it to use.

    test-container.py BUILD

What the Containerfile puts into the image is put into a folder here, and runs
there as a container does: it is the root, and the helper process 1. What
tests/vm/test-container.py tests on disks is not repeated.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
from tap import main, skip, test

try:
    import yaml
except ImportError:
    print("1..0 # SKIP no python3-yaml here")
    sys.exit(0)

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
CONTAINER = ROOT + "/contrib/container"
BUILD = os.path.realpath(sys.argv[1])
SOCKET = "/var/run/kubevirt/daemons/pr/pr-helper.sock"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
# The container as KubeVirt's operator writes it, and what stands before it.
OPERATORS = [{"name": "virt-handler", "image": "virt-handler"},
             {"name": "pr-helper", "image": "pr-helper", "command": ["/entrypoint.sh"],
              "args": ["-k", SOCKET], "securityContext": {"runAsUser": 0, "privileged": True}}]


def load(name):
    with open(f"{CONTAINER}/{name}", encoding="utf-8") as file:
        return yaml.safe_load(file)


def merged(value, patch):
    """A strategic merge: containers have their name for a key."""
    if isinstance(value, dict):
        known = value.keys() | patch.keys()
        return {key: merged(value[key], patch[key]) if key in value and key in patch
                else patch.get(key, value.get(key)) for key in known}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        patches = {entry["name"]: entry for entry in patch}
        rest = [entry for entry in patch if entry["name"] not in [old["name"] for old in value]]
        return [merged(old, patches.get(old["name"], {})) for old in value] + rest
    return patch


def patched():
    """{name of container: container} of virt-handler, with our patch."""
    patch, = load("kubevirt.yaml")["spec"]["customizeComponents"]["patches"]
    assert (patch["resourceType"], patch["resourceName"]) == ("DaemonSet", "virt-handler")
    assert patch["type"] == "strategic"
    daemon_set = {"spec": {"template": {"spec": {"containers": OPERATORS}}}}
    result = merged(daemon_set, json.loads(patch["patch"]))
    return {found["name"]: found for found in result["spec"]["template"]["spec"]["containers"]}


def probes():
    """Their commands."""
    return [patched()["pr-helper"][kind]["exec"]["command"]
            for kind in ("startupProbe", "readinessProbe", "livenessProbe")]


def containerfile(instruction):
    """The arguments of the instruction's last use."""
    with open(CONTAINER + "/Containerfile", encoding="utf-8") as file:
        return [line.split(maxsplit=1)[1].strip() for line in file
                if line.startswith(instruction + " ")][-1]


def inside(*command):
    return subprocess.run(["chroot", IMAGE, *command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=30,
                          env=ENVIRONMENT)


class Container:
    """The image's command, as process 1 of a PID namespace."""

    def __init__(self, *command):
        name, value = containerfile("ENV").split("=")
        # pylint: disable=consider-using-with
        self.runtime = subprocess.Popen(
            ["unshare", "--pid", "--fork", "chroot", IMAGE, *command],
            env={**ENVIRONMENT, name: value},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def until_ready(self):
        """As the kubelet: the start's probe again and again."""
        while inside(*probes()[0]).returncode:
            assert self.runtime.poll() is None, self.runtime.stderr.read()
            time.sleep(0.05)

    def stop(self):
        """Gives the status, and the log."""
        with open(f"/proc/{self.runtime.pid}/task/{self.runtime.pid}/children",
                  encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGTERM)
        log = self.runtime.communicate(timeout=20)[1]
        return self.runtime.returncode, log

    def __exit__(self, *_):
        if self.runtime.poll() is None:
            self.stop()


def serves(*command):
    with Container(*command) as container:
        container.until_ready()
        for probe in probes():
            assert inside(*probe).returncode == 0, probe
        code, log = container.stop()
    assert code == 0, f"{code}: {log}"
    assert not os.path.exists(IMAGE + SOCKET), "its socket is left"
    assert inside(*probes()[0]).returncode, "the probe does not see that nobody serves"


def needs_root():
    if os.geteuid():
        skip("needs root: chroot, unshare")


@test("the patch changes the operator's container, and no other")
def _():
    containers = patched()
    assert containers["virt-handler"] == OPERATORS[0]
    ours = containers["pr-helper"]
    for key in ("command", "args", "securityContext"):
        assert ours[key] == OPERATORS[1][key], key
    assert ours["image"] != OPERATORS[1]["image"]
    gates = load("kubevirt.yaml")["spec"]["configuration"]["developerConfiguration"]
    assert gates["featureGates"] == ["PersistentReservation"], gates


@test("the image's command is the operator's, and the probes ask the same socket")
def _():
    command = json.loads(containerfile("ENTRYPOINT")) + json.loads(containerfile("CMD"))
    assert command == OPERATORS[1]["command"] + OPERATORS[1]["args"], command
    for probe in probes():
        assert probe == ["/usr/bin/qemu-pr-client", "--ping", "--socket=" + SOCKET], probe


@test("the virtual machine keeps off the node of another on its disk")
def _():
    machine = load("virtual-machine.yaml")["spec"]["template"]
    disk, = machine["spec"]["domain"]["devices"]["disks"]
    assert disk["lun"] == {"bus": "scsi", "reservation": True}, disk
    assert [volume["name"] for volume in machine["spec"]["volumes"]] == [disk["name"]]
    rules = machine["spec"]["affinity"]["podAntiAffinity"]
    rule, = rules["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["labelSelector"]["matchLabels"] == machine["metadata"]["labels"]


@test("the image has the programs, libraries and copyrights, and nothing else")
def _():
    found = [os.path.join(folder, name)[len(IMAGE):] for folder, _, names in os.walk(IMAGE)
             for name in names]
    other = [path for path in found if not path.startswith(("/lib", "/usr/lib"))
             and os.path.basename(path) not in ("copyright", "LICENSE")]
    assert sorted(other) == ["/entrypoint.sh", "/etc/group", "/etc/passwd",
                             "/usr/bin/qemu-pr-client", "/usr/bin/qemu-pr-helper"], other
    libraries = [path for path in found if path.startswith(("/lib", "/usr/lib"))]
    assert libraries and all(".so" in path for path in libraries), libraries
    assert sum(os.path.getsize(IMAGE + path) for path in found) < 20 << 20


@test("in it the operator's command serves, the probes see it, SIGTERM ends it")
def _():
    needs_root()
    serves(*OPERATORS[1]["command"], *OPERATORS[1]["args"])


@test("older operators' command does, too")
def _():
    needs_root()
    serves("/usr/bin/qemu-pr-helper", *OPERATORS[1]["args"])


@test("whom no privileged container starts says what is missing")
def _():
    needs_root()
    done = subprocess.run(["setpriv", "--bounding-set=-sys_rawio", "chroot", IMAGE,
                           "/entrypoint.sh", "-k", SOCKET], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=ENVIRONMENT, timeout=30)
    assert done.returncode == 1 and "CAP_SYS_RAWIO" in done.stdout, done


with tempfile.TemporaryDirectory(prefix="container-") as WORK:
    IMAGE = WORK + "/image"
    subprocess.run(["sh", CONTAINER + "/content", BUILD, ROOT + "/LICENSE", IMAGE], check=True)
    main()
