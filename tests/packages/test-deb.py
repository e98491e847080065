#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package beside qemu-system-common, in throwaway roots.

Whatever happens to either, QEMU's program is back byte for byte when ours is
gone, and nothing else is left.

    test-deb.py ROOT DEB

ROOT is what tests/packages/debian-root makes. Each test has a layer of its own
over it. Needs root.
"""
import contextlib
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
from tap import main, skip, test

BASE, DEB = (os.path.realpath(path) for path in sys.argv[1:3])
NAME = "qemu-pr-helper-dropin"
PROGRAM = "/usr/bin/qemu-pr-helper"
PAGE = "/usr/share/man/man8/qemu-pr-helper.8.gz"
ASIDE = {PROGRAM: "/usr/bin/qemu-pr-helper.distrib",
         PAGE: "/usr/share/man/man8/qemu-pr-helper.distrib.8.gz"}
# dpkg's own books, logs, and what others write at each call.
CHANGES_ANYWAY = re.compile(
    r"/(var/lib/dpkg|var/lib/apt|var/log|var/cache|tmp|debs|etc/(passwd|shadow|group|gshadow)-"
    r"|etc/\.pwd\.lock|etc/ld\.so\.cache)(/|$)")


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, stdin=subprocess.DEVNULL, **options)


class Failed(Exception):
    """A command that was to succeed."""


class Root:
    """A Debian with QEMU's helper, in which anything may be done."""

    def __init__(self, path, layer=None):
        self.path = path
        self.layer = layer

    def __call__(self, *command):
        """Run a command in it that has to succeed; gives what it says."""
        done = self.attempt(*command)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stdout}")
        return done.stdout

    def attempt(self, *command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                       "DEBIAN_FRONTEND": "noninteractive"}
        return run("chroot", self.path, *command, env=environment)

    def install(self, deb):
        """As attempt(), with a package of the host."""
        shutil.copy(deb, self.path + "/debs")
        return self.attempt("dpkg", "-i", "/debs/" + os.path.basename(deb))

    def has(self, deb):
        """Install it, with success."""
        done = self.install(deb)
        if done.returncode:
            raise Failed(done.stdout)

    def content(self, path):
        with open(self.path + path, "rb") as file:
            return file.read()

    def write(self, path, content):
        with open(self.path + path, "wb") as file:
            file.write(content)

    def files(self):
        """{path: what it is}; what is not in the layer is BASE's."""
        found = {}
        for folder, folders, names in os.walk(self.path):
            folders[:] = [name for name in folders
                          if not os.path.ismount(os.path.join(folder, name))]
            for name in folders + names:
                full = os.path.join(folder, name)
                path = full[len(self.path):]
                if CHANGES_ANYWAY.match(path):
                    continue
                if self.layer is None or os.path.lexists(self.layer + path):
                    found[path] = describe(full)
                else:
                    found[path] = UNCHANGED[path]
        return found


def describe(path):
    """What two versions of a file have to have in common."""
    status = os.lstat(path)
    what = f"{status.st_mode:o} {status.st_uid} {status.st_gid}"
    if os.path.islink(path):
        return f"{what} -> {os.readlink(path)}"
    if not os.path.isfile(path):
        return what
    with open(path, "rb") as file:
        return f"{what} {hashlib.sha256(file.read()).hexdigest()}"


@contextlib.contextmanager
def fresh_root():
    """A layer over BASE, as long as the test lasts."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        for name in ("upper", "work", "root"):
            os.mkdir(f"{folder}/{name}")
        path = f"{folder}/root"
        done = run("mount", "-t", "overlay", "overlay", "-o",
                   f"lowerdir={BASE},upperdir={folder}/upper,workdir={folder}/work", path)
        if done.returncode:
            skip(f"no overlay here: {done.stdout.strip()}")
        try:
            run("mount", "-t", "proc", "proc", path + "/proc")
            os.mkdir(path + "/debs")
            yield Root(path, folder + "/upper")
        finally:
            run("umount", "-l", path + "/proc")
            run("umount", path)


def differences(before, after):
    return [f"{path}: {before.get(path)} was, {after.get(path)} is"
            for path in sorted(before.keys() | after.keys())
            if before.get(path) != after.get(path)]


def assert_same(before, after):
    found = differences(before, after)
    assert not found, "\n".join(found)


def repacked(deb, version, change=lambda folder: None):
    """The same package with another version, and what change(folder) makes of it."""
    folder = tempfile.mkdtemp(dir=WORK)
    subprocess.run(["dpkg-deb", "-R", deb, folder], check=True)
    change(folder)
    control = folder + "/DEBIAN/control"
    with open(control, encoding="utf-8") as file:
        text = re.sub(r"^Version: .*$", f"Version: {version}", file.read(), flags=re.M)
    with open(control, "w", encoding="utf-8") as file:
        file.write(text)
    return packed(folder)


def packed(folder):
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", folder, folder + ".deb"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder + ".deb"


def write(text, *path):
    os.makedirs(os.path.dirname(os.path.join(*path)), exist_ok=True)
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def owner_of(path):
    """Another package, which has that file."""
    folder = tempfile.mkdtemp(dir=WORK)
    write("Package: blocker\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\n"
          "Description: has a file\n", folder, "DEBIAN/control")
    write("", folder + path)
    return packed(folder)


def check_ours(root, version):
    """Ours is in its place, whole, and QEMU's is aside."""
    status = root("dpkg-query", "-W", "-f", "${Status} ${Version}", NAME)
    assert status == f"install ok installed {version}", status
    for path, aside in ASIDE.items():
        assert root.content(aside) == QEMUS[path], aside
        assert root.content(path) != QEMUS[path], path
    assert "failed" not in root("dpkg", "--verify", NAME), "a file is not as packed"
    assert not root("dpkg", "--audit"), root("dpkg", "--audit")


def check_none(root):
    """dpkg knows nothing of us."""
    status = root.attempt("dpkg-query", "-W", "-f", "${Status}", NAME).stdout
    assert "installed" not in status.replace("not-installed", ""), status
    assert NAME not in root("dpkg-divert", "--list"), root("dpkg-divert", "--list")
    assert not root("dpkg", "--audit"), root("dpkg", "--audit")


@test("installed, it takes the place of QEMU's program, and runs")
def _():
    with fresh_root() as root:
        root.has(DEB)
        check_ours(root, VERSION)
        assert f"qemu-pr-helper {UPSTREAM}" in root(PROGRAM, "--version")
        assert UPSTREAM in root("qemu-pr-client", "--version")
        assert root("getent", "passwd", "qemu-pr-helper").startswith("qemu-pr-helper:")


@test("installed, no unit of it is enabled: that is the administrator's")
def _():
    with fresh_root() as root:
        root.has(DEB)
        for unit in ("qemu-pr-helper.socket", "qemu-pr-helper.service"):
            assert root.attempt("systemctl", "is-enabled", unit).stdout == "disabled\n", unit
        links = [path for path in root.files() if path.startswith("/etc/systemd/system/")
                 and "qemu-pr" in path]
        assert not links, links


@test("removed and purged, QEMU's program is back, and nothing is left")
def _():
    with fresh_root() as root:
        before = root.files()
        root.has(DEB)
        assert differences(before, root.files()), "it has installed nothing"
        root("dpkg", "--remove", NAME)
        assert root.content(PROGRAM) == QEMUS[PROGRAM]
        root("dpkg", "--purge", NAME)
        assert_same(before, root.files())
        check_none(root)


@test("purged at once, with enabled units, nothing is left")
def _():
    with fresh_root() as root:
        before = root.files()
        root.has(DEB)
        root("systemctl", "enable", "qemu-pr-helper.socket", "qemu-pr-helper.service")
        root("dpkg", "--purge", NAME)
        # systemctl made the folders; of them it is no package's business.
        after = {path: what for path, what in root.files().items()
                 if not path.startswith("/etc/systemd/system/") or "qemu-pr" in path
                 or path in before}
        assert_same(before, after)


@test("an upgrade keeps QEMU's program aside, and what was enabled")
def _():
    with fresh_root() as root:
        before = root.files()
        root.has(OLDER)
        check_ours(root, "0.0.1-0upstream1")
        root("systemctl", "enable", "qemu-pr-helper.socket")
        root.has(DEB)
        check_ours(root, VERSION)
        assert root("systemctl", "is-enabled", "qemu-pr-helper.socket") == "enabled\n"
        assert not os.path.exists(root.path + "/usr/share/older"), "a file of the older one"
        root("systemctl", "disable", "qemu-pr-helper.socket")
        root("dpkg", "--purge", NAME)
        assert_same(before, {path: what for path, what in root.files().items()
                             if path in before or "sockets.target" not in path})


@test("a downgrade does, too")
def _():
    with fresh_root() as root:
        root.has(DEB)
        root.has(OLDER)
        check_ours(root, "0.0.1-0upstream1")


@test("reinstalling qemu-system-common leaves ours in its place")
def _():
    with fresh_root() as root:
        before = root.files()
        root.has(DEB)
        root.has(QEMU_DEB)
        check_ours(root, VERSION)
        root("dpkg", "--purge", NAME)
        assert_same(before, root.files())


@test("an upgrade of qemu-system-common goes aside, and is what comes back")
def _():
    with fresh_root() as root:
        root.has(DEB)
        ours = root.content(PROGRAM)
        root.has(NEWER_QEMU)
        assert root.content(PROGRAM) == ours
        assert root.content(ASIDE[PROGRAM]) == b"newer"
        root("dpkg", "--purge", NAME)
        assert root.content(PROGRAM) == b"newer"
        assert root.content(PAGE) == QEMUS[PAGE]
        check_none(root)


@test("installed before qemu-system-common, it keeps its place as well")
def _():
    with fresh_root() as root:
        before = root.files()
        root("dpkg", "--remove", "--force-depends", "qemu-system-common")
        root.has(DEB)
        assert not os.path.exists(root.path + ASIDE[PROGRAM])
        root.has(QEMU_DEB)
        check_ours(root, VERSION)
        root("dpkg", "--purge", NAME)
        assert_same(before, root.files())


@test("qemu-system-common goes, then ours: nothing is left of either")
def _():
    with fresh_root() as root:
        root.has(DEB)
        root("dpkg", "--purge", "--force-depends", "qemu-system-common")
        assert f"qemu-pr-helper {UPSTREAM}" in root(PROGRAM, "--version")
        root("dpkg", "--purge", NAME)
        assert not [path for path in root.files() if "qemu-pr" in path]
        check_none(root)


@test("an installation that fails in the middle is undone")
def _():
    with fresh_root() as root:
        root.has(owner_of("/usr/bin/qemu-pr-client"))
        before = root.files()
        done = root.install(DEB)
        assert done.returncode and "trying to overwrite" in done.stdout, done.stdout
        assert_same(before, root.files())
        check_none(root)


@test("an upgrade that fails in the middle leaves the older one whole")
def _():
    with fresh_root() as root:
        root.has(OLDER)
        root.has(owner_of("/usr/share/newer"))
        before = root.files()
        done = root.install(CLASHING)
        assert done.returncode and "trying to overwrite" in done.stdout, done.stdout
        assert_same(before, root.files())
        check_ours(root, "0.0.1-0upstream1")
        root("dpkg", "--purge", NAME)
        assert root.content(PROGRAM) == QEMUS[PROGRAM]


@test("a diversion by hand is refused with the remedy, and stays")
def _():
    with fresh_root() as root:
        root("dpkg-divert", "--local", "--rename", "--add", PROGRAM)
        root.write(PROGRAM, b"by hand")
        before = root.files()
        done = root.install(DEB)
        assert done.returncode and "is diverted by hand" in done.stdout, done.stdout
        assert_same(before, root.files())
        root("rm", PROGRAM)
        remedy = re.search(r"^ +(dpkg-divert .*)$", done.stdout, re.M)[1]
        root(*remedy.split())
        root.has(DEB)
        check_ours(root, VERSION)


@test("Debian's AppArmor profile of libvirtd has its path already")
def _():
    profile = "/etc/apparmor.d/usr.sbin.libvirtd"
    if not os.path.exists(profile):
        skip("no libvirt-daemon-system here")
    with open(profile, encoding="utf-8") as file:
        assert re.search(r"^\s*/usr/bin/\* PUx,$", file.read(), re.M)


if os.geteuid():
    print("1..0 # SKIP needs root: mounts, chroot")
    sys.exit(0)
if "--inside" not in sys.argv:
    # Mounts of our own, which end with us.
    os.execvp("unshare", ["unshare", "--mount", "--propagation=private", sys.executable,
                          os.path.realpath(__file__), BASE, DEB, "--inside"])

with tempfile.TemporaryDirectory(prefix="deb-") as WORK:
    # In memory, as dpkg waits for the disk often; gone with us.
    run("mount", "-t", "tmpfs", "tmpfs", WORK)
    QEMU_DEB, = glob.glob(BASE + "/archive/qemu-system-common_*.deb")
    VERSION = run("dpkg-deb", "-f", DEB, "Version").stdout.strip()
    UPSTREAM = VERSION.split("-", maxsplit=1)[0]
    UNCHANGED = Root(BASE).files()
    QEMUS = {path: Root(BASE).content(path) for path in ASIDE}
    OLDER = repacked(DEB, "0.0.1-0upstream1", lambda to: write("", to + "/usr/share/older"))
    CLASHING = repacked(DEB, "99-1", lambda to: write("", to + "/usr/share/newer"))
    NEWER_QEMU = repacked(QEMU_DEB, "1:99+dfsg-1", lambda to: write("newer", to + PROGRAM))
    try:
        main()
    finally:
        run("umount", "-l", WORK)
