#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Options and what they print: usage cli.py HELPER.

An error at the start is one line that says what, where and why: libvirt shows
the first kilobyte of it to its user, and a journal entry has one line.
"""
import os
import re
import subprocess

from daemon import Daemon, forking_test, need_root, private_mounts, program, read, run, scratch
import scsi
from tap import main, test

IN = scsi.pr_in(scsi.READ_KEYS)
NULL = os.open("/dev/null", os.O_RDWR)
LONG = ["help", "version", "daemon", "pidfile", "socket", "user", "group", "quiet", "verbose",
        "trace", "socket-mode", "socket-owner", "socket-group", "command-timeout", "max-clients",
        "log-target", "check"]


def refused(*options):
    """The only line of a start that has to fail."""
    result = run("-k", f"{scratch()}/pr.sock", *options)
    assert result.returncode == 1 and not result.stdout, result
    assert re.fullmatch(r"qemu-pr-helper: [^\n]*\n", result.stderr), result
    return result.stderr


@test("--help has every long option, and nothing else that looks like one")
def _():
    result = run("--help")
    named = set(re.findall(r"--([a-z-]+)", result.stdout))
    assert result.returncode == 0 and named == set(LONG), named ^ set(LONG)


@test("the manual page has every long option")
def _():
    page = read(os.path.join(os.path.dirname(__file__), "../../qemu-pr-helper.8.in"))
    named = set(re.findall(r"^\.It Fl (?:\w , )?-([a-z-]+)", page, re.M))
    assert named == set(LONG), named ^ set(LONG)


@test("--help fits a terminal of 80 columns")
def _():
    assert max(map(len, run("--help").stdout.splitlines())) < 80


@test("--version names the program and a version")
def _():
    assert re.match(r"qemu-pr-helper \d+\.\d+", run("--version").stdout)


PRINTING = [["--help"], ["--version"], ["-T", "help"], ["--check", "-k", "/dev/null"]]


@test("output that cannot be written is an error, in one line")
def _():
    with open("/dev/full", "wb") as full:
        for options in PRINTING:
            result = run(*options, stdout=full)
            assert result.returncode == 1 and result.stderr.count("\n") == 1 and \
                "cannot write to standard output" in result.stderr, result
            # --check has told each line before, so the reason is gone.
            assert "No space left on device" in result.stderr or "--check" in options, result


@test("so it is where standard output is closed")
def _():
    for options in PRINTING:
        result = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', program(), *options],
                                check=False, stderr=subprocess.PIPE, text=True, timeout=20)
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and \
            "cannot write to standard output" in result.stderr, result


@test("unknown options and missing arguments end with a hint")
def _():
    for options in (["--bogus"], ["-Z"], ["-k"], ["--socket-mode"], ["--quiet=1"]):
        result = run(*options)
        lines = result.stderr.splitlines()
        assert result.returncode == 1 and len(lines) == 2, result
        assert lines[1] == "qemu-pr-helper: Try 'qemu-pr-helper --help' for more information."


@test("an argument that is no option is named")
def _():
    assert "'stray'" in refused("stray")


@test("numbers out of range are refused, with option and range")
def _():
    table = {
        "socket-mode": (["8", "1000", "-1", "", "0x1", "rw", "99999999999999999999"],
                        "000 to 777"),
        "command-timeout": (["0", "3601", "-1", "", "1s", "1.5", "18446744073709551617"],
                            "1 to 3600"),
        "max-clients": (["0", "1000001", "-5", "", "many", " 5"], "1 to 1000000"),
    }
    for option, (values, bounds) in table.items():
        for value in values:
            line = refused(f"--{option}={value}")
            assert f"--{option}='{value}'" in line and bounds in line, line


@test("numbers at the ends of their ranges are accepted")
def _():
    for options in (["--socket-mode=0777", "--command-timeout=1", "--max-clients=1000000"],
                    ["--socket-mode=700", "--command-timeout=3600", "--max-clients=2"]):
        with Daemon(*options) as daemon:
            assert str(daemon.command(NULL, IN)) == "B/00/06"


@test("users and groups that cannot be are refused by name")
def _():
    for option in ("-u", "--user", "-g", "--socket-owner", "--socket-group"):
        for value in ("4294967295", "4294967296", "-1", "", "no-such-name", "1x", "+1"):
            line = refused(option, value)
            assert f"'{value}'" in line and "no such" in line, line


@test("a user without a group needs -g")
def _():
    assert "-g" in refused("-u", "54321")


@test("a log target that does not exist is refused, with those that do")
def _():
    line = refused("--log-target=file")
    assert "'file'" in line and "auto, journal, syslog or stderr" in line, line


@test("a relative socket path is refused by name")
def _():
    assert "'pr.sock'" in refused("-k", "pr.sock")


@test("a line end in an argument makes no second line")
def _():
    line = refused("-k", "a\nb\x1b[31m")
    assert "a?b?[31m" in line, line


# Trace points

def traced(*options, commands=1):
    """What a trace file has after some commands."""
    path = f"{scratch()}/trace"
    with Daemon("-q", *(option.replace("FILE", path) for option in options)) as daemon:
        for _ in range(commands):
            daemon.command(NULL, IN)
        log = daemon.log()
    return read(path), log


@test("-T help lists the trace points, by name and purpose")
def _():
    result = run("-T", "help")
    names = re.findall(r"^(\w+) +\w+", result.stdout, re.MULTILINE)
    assert result.returncode == 0 and "command_answer" in names and len(names) >= 10, result


@test("-T '?' lists them, too; a name that -T does not know is refused")
def _():
    assert run("-T", "?").stdout == run("-T", "help").stdout
    line = refused("-T", "bogus=1")
    assert "'bogus=1'" in line and "events=FILE" in line, line


@test("-T enable= switches on what matches, into the file that was named")
def _():
    text, _ = traced("-T", "enable=command_*,file=FILE")
    points = set(re.findall(r"^\d+@\d+\.\d{6}:(\w+) ", text, re.MULTILINE))
    assert points == {"command_refuse"}, text


@test("-T takes a bare pattern, a minus, and several options")
def _():
    text, _ = traced("-T", "*", "-T", "-connection_state,file=FILE")
    points = set(re.findall(r":(\w+) ", text))
    assert "connection_accept" in points and "connection_state" not in points, points


@test("-T events= reads patterns from a file")
def _():
    path = f"{scratch()}/events"
    with open(path, "w", encoding="ascii") as file:
        file.write("# what we want\n\n  connection_accept  \nconnection_close\n")
    text, _ = traced("-T", f"events={path},file=FILE")
    assert set(re.findall(r":(\w+) ", text)) == {"connection_accept", "connection_close"}, text


@test("without file= the log has the trace")
def _():
    _, log = traced("-v", "-T", "connection_accept")
    assert re.search(r"^qemu-pr-helper: \d+@[\d.]+:connection_accept ", log, re.MULTILINE), log


@test("a pattern that matches nothing is reported and no error")
def _():
    _, log = traced("-T", "nothing_*")
    assert "no trace point matches 'nothing_*'" in log, log


@test("trace files that cannot be used are refused by name")
def _():
    for item in ("file", "events"):
        line = refused("-T", f"{item}=/nonexistent/x")
        assert "/nonexistent/x" in line and "No such file" in line, line


@test("-d with --log-target=stderr is refused, as stderr ends there")
def _():
    line = refused("-d", "-f", f"{scratch()}/pid", "--log-target=stderr")
    assert "--log-target=stderr" in line and "-d" in line, line


@test("an unknown user or group is told with its option, and what to do")
def _():
    for option in ("--user", "--group", "--socket-owner", "--socket-group"):
        line = refused(f"{option}=no-such-one")
        assert f"{option}='no-such-one'" in line and "; " in line, line
    line = refused("-u", "4294967295")
    assert "--user='4294967295'" in line, line


@test("an empty path is no PID file")
def _():
    for options in ([], ["-d"]):
        line = refused(*options, "-f", "")
        assert "PID file" in line and "empty" in line, line


# --check; tests/vm/multipath/test-check.py has the devices.

def checked(*arguments):
    """Exit status and lines."""
    result = run("--check", "-k", f"{scratch()}/pr.sock", *arguments)
    assert result.stderr == "", result
    return result.returncode, result.stdout.splitlines()


@test("--check names what is no device, each in a line, and how to mend it")
def _():
    status, lines = checked("/dev/null", "/nonexistent", __file__)
    wrong = [line for line in lines if line.startswith("FIX")]
    assert status == 1 and len(wrong) >= 3, lines
    for name in ("/dev/null: ", "/nonexistent: ", __file__ + ": "):
        assert any(name in line and "; " in line for line in wrong), lines


@test("--check counts what has to be mended, and nothing else, in its exit status")
def _():
    status, lines = checked()
    assert status == any(line.startswith("FIX") for line in lines), (status, lines)
    assert any("pr.sock: free" in line for line in lines), lines
    status, lines = checked("--max-clients=1000000")
    assert status == 1 and any("LimitNOFILE=" in line for line in lines), lines


@forking_test("--check knows who the helper will be")
def _():
    need_root("to become another user")
    for user, words in (("root", "as root"), ("nobody", "a second process stays root")):
        line = checked("-u", user)[1][0]
        assert line.startswith("ok   privileges:") and words in line, line


@forking_test("--check tells that the second process would not start")
def _():
    # It wants /dev/null.
    result = subprocess.run([*private_mounts("to hide /dev/null"), "sh", "-c",
                             'mount -t tmpfs none /dev && exec "$@"', "sh", program(), "--check",
                             "-k", f"{scratch()}/pr.sock", "-u", "nobody"],
                            check=False, capture_output=True, text=True)
    line = result.stdout.splitlines()[0]
    assert result.returncode == 1 and line.startswith("FIX  privileges:"), result
    assert "multipath maps will be refused: " in line and "/dev/null" in line, line


@test("--check tells a PID file that a start could not use")
def _():
    directory = scratch()
    for path, status, words in ((f"{directory}/pid", 0, "free"),
                                (f"{directory}/none/pid", 1, "create"),
                                (__file__, 1, "left alone")):
        lines = checked("-d", "-f", path)[1]
        line = next(line for line in lines if "PID file" in line)
        assert line.startswith("FIX" if status else "ok ") and words in line, line
    assert os.listdir(directory) == []
    with Daemon("-f", f"{directory}/pid") as daemon:
        line = next(line for line in checked("-f", f"{directory}/pid")[1] if "PID file" in line)
        assert line.startswith("FIX") and f"pid {daemon.pid}" in line, line


@test("--check says of a file in the socket's place what the start says")
def _():
    path = f"{scratch()}/file"
    with open(path, "w", encoding="ascii") as file:
        file.write("precious")
    told = run("-k", path).stderr
    line, = [line for line in run("--check", "-k", path).stdout.splitlines() if path in line]
    assert line.startswith("FIX") and "remove" not in line, line
    for words in ("exists and is not a socket; it was left alone, choose another path with -k",):
        assert words in line and words in told, (line, told)


@test("--check with an empty name says so")
def _():
    status, lines = checked("")
    line = next(line for line in lines if "device" in line)
    assert status == 1 and line.startswith("FIX  device: an empty name"), lines


@test("--check is not misled by a starter that ignores its children")
def _():
    expected = [line for line in checked()[1] if "privileges" in line]
    result = subprocess.run(["sh", "-c", 'trap "" CHLD; exec "$0" "$@"', program(), "--check",
                             "-k", f"{scratch()}/pr.sock"],
                            check=False, stdout=subprocess.PIPE, text=True, timeout=20)
    assert [line for line in result.stdout.splitlines() if "privileges" in line] == expected


@test("--check binds nothing, and tells a socket that is served")
def _():
    with Daemon() as daemon:
        result = run("--check", "-k", daemon.socket)
        assert f"served by process {daemon.pid} " in result.stdout, result
    assert not os.path.exists(f"{scratch()}/pr.sock")


main()
