#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux guest, with sg3_utils and one disk, and a shell that tests talk to.

It boots in about a minute, twice emulated as it is, because its kernel is
unpacked beforehand and its root is a few files in memory: busybox, sg_persist,
sg_turs and a few modules. The shell is at a virtio port, which QEMU offers as two
pipes: a serial port that is emulated twice loses bytes, and a console between
them sleeps at times until the next input. So this file is also a command that
runs another one in the guest, with its output and its exit status:

    linux.py sg_persist --in --read-keys /dev/sda
"""
import glob
import lzma
import os
import re
import select
import shlex
import shutil
import struct
import subprocess
import sys
import time

DIRECTORY = "/run/guest"
SHELL = DIRECTORY + "/shell"
SHELL_INPUT, SHELL_OUTPUT = SHELL + ".in", SHELL + ".out"      # as QEMU names them
CONSOLE = DIRECTORY + "/console"
PROGRAMS = ("/usr/bin/sg_persist", "/usr/bin/sg_turs")
MODULES = ("virtio_pci", "virtio_console", "virtio_scsi", "sd_mod", "sg")
END = re.compile(rb"^end=(\d+)=\n", re.MULTILINE)
# Nothing but disk and console matters, and every driver costs a second.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check "
                "rcupdate.rcu_expedited=1 apparmor=0 audit=0 cryptomgr.notests")
INIT = r"""#!/busybox sh
/busybox mkdir -p /bin /proc /sys /dev
/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
	insmod "$module"
done
until port=$(ls /dev/vport*p1) && [ -b /dev/sda ] && [ -c /dev/sg0 ]; do
	sleep 0.1
done
exec <>"$port" >&0 2>&1
echo end=0=
sh
"""
# Where the kernel's boot protocol has the place of the compressed kernel.
SETUP_SECTORS, PAYLOAD = 0x1F1, 0x248


def output_of(*command):
    """Its standard output, as text."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def unpack_kernel(path):
    """Write the machine's own kernel there, so that the guest need not decompress it."""
    release = os.uname().release
    with open(f"{kernel_directory()}/boot/vmlinuz-{release}", "rb") as file:
        image = file.read()
    offset, size = struct.unpack_from("<II", image, PAYLOAD)
    start = (image[SETUP_SECTORS] + 1) * 512 + offset
    with open(path, "wb") as file:
        # The size of the result follows the compressed data.
        file.write(lzma.LZMADecompressor().decompress(image[start:start + size]))


def kernel_directory():
    """Where tests/vm/kernel has put it."""
    with open("/.vm/control/command", encoding="utf-8") as file:
        return next(shlex.split(line)[0].partition("=")[2]
                    for line in file if line.startswith("KERNEL="))


def libraries(programs):
    """What the dynamic loader would load for them, itself included."""
    return sorted(set(re.findall(r"(/\S+) \(0x", output_of("ldd", *programs))))


def modules():
    """The modules' files, in the order in which they have to be loaded."""
    found = []
    for name in MODULES:
        lines = output_of("modprobe", "--show-depends", name).splitlines()
        found += [line.split()[1] for line in lines if line.startswith("insmod")]
    return list(dict.fromkeys(found))


def copy(path, destination):
    """Copy a file, and make the directory for it."""
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    shutil.copy(path, destination)


def write_initramfs(path):
    """The guest's root, as a cpio archive."""
    root = DIRECTORY + "/root"
    copy(shutil.which("busybox"), root + "/busybox")
    for file in (*PROGRAMS, *libraries(PROGRAMS)):
        copy(file, root + file)
    for number, file in enumerate(modules()):
        copy(file, f"{root}/modules/{number:02}-{os.path.basename(file)}")
    with open(root + "/init", "w", encoding="ascii") as file:
        file.write(INIT)
    os.chmod(root + "/init", 0o755)
    names = "\n".join(os.path.relpath(name, root)
                      for name in glob.glob(root + "/**", recursive=True))
    with open(path, "wb") as file:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, check=True,
                       input=names.encode(), stdout=file)


class Guest:
    """A running guest; it is of use once wait_until_up() has returned."""

    def __init__(self, disk, helper_socket):
        os.makedirs(DIRECTORY)
        for path in SHELL_INPUT, SHELL_OUTPUT:
            os.mkfifo(path)
        unpack_kernel(DIRECTORY + "/vmlinux")
        write_initramfs(DIRECTORY + "/initramfs")
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults",
             "-no-user-config", "-no-reboot", "-display", "none",
             "-kernel", DIRECTORY + "/vmlinux", "-initrd", DIRECTORY + "/initramfs",
             "-append", COMMAND_LINE, "-serial", f"file:{CONSOLE}",
             "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell",
             "-chardev", f"pipe,id=shell,path={SHELL}",
             "-object", f"pr-manager-helper,id=pr,path={helper_socket}",
             "-blockdev", "node-name=hd,driver=raw,file.driver=host_device,"
                          f"file.filename={disk},file.pr-manager=pr",
             "-device", "virtio-scsi-pci", "-device", "scsi-block,drive=hd"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_until_up(self, seconds):
        """Wait for the guest's shell."""
        try:
            result(seconds)
        except AssertionError as error:
            with open(CONSOLE, encoding="utf-8", errors="replace") as file:
                raise AssertionError(f"{error}; its console:\n{file.read()[-2000:]}") from None


def result(timeout):
    """The exit status of the command that runs there, and all of its output."""
    end = time.monotonic() + timeout
    output = b""
    with open(SHELL_OUTPUT, "r+b", buffering=0) as shell:
        while not (found := END.search(output)):
            rest = end - time.monotonic()
            assert rest > 0 and select.select([shell], [], [], rest)[0], \
                f"no answer after {timeout:.0f} s: {output}"
            output += shell.read(4096)
    return int(found[1]), output[:found.start()].decode("utf-8", "replace")


def run(command, timeout=120):
    """Run a command in the guest; returns its exit status and all of its output."""
    with open(SHELL_INPUT, "r+b", buffering=0) as shell:
        shell.write(f"{shlex.join(command)} </dev/null; echo end=$?=\n".encode())
    return result(timeout)


if __name__ == "__main__":
    STATUS, OUTPUT = run(sys.argv[1:])
    sys.stdout.write(OUTPUT)
    sys.exit(STATUS)
