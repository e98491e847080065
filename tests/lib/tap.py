# SPDX-License-Identifier: GPL-2.0-or-later
"""A tiny producer of TAP, the Test Anything Protocol.

The test programs of this tree must run with nothing but Python's standard
library, in a throwaway virtual machine too, and be read by any TAP consumer.
Every test has a deadline, so that a daemon that never answers is a failure
with a traceback and not a run that hangs.

    from tap import main, skip, test

    @test("READ KEYS of a fresh disk")
    def _():
        assert answer.status == 0, answer

    @test("a disk that hangs", timeout=90)
    def _():
        skip("no iSCSI here")           # ok N - ... # SKIP no iSCSI here

    main()                              # prints, and exits 0 or 1

Tests run in the order of their definition. A test fails by raising anything;
the traceback is printed as a diagnostic. Command line arguments are the test
program's own; TAP_ONLY=TEXT in the environment runs only the tests whose
names contain TEXT.
"""
import os
import signal
import sys
import traceback

DEFAULT_TIMEOUT = 60

_tests = []


class Skip(Exception):
    """Raised by skip()."""


class Deadline(BaseException):
    """A test took too long. No Exception, so that no test swallows it."""


def skip(why):
    """Leave the running test and report it as skipped."""
    raise Skip(why)


def diag(text):
    """Print a diagnostic: every line of it behind a hash."""
    for line in str(text).splitlines() or [""]:
        print(f"# {line}")
    sys.stdout.flush()


def test(name, timeout=DEFAULT_TIMEOUT):
    """Decorator: register a function without arguments as a test."""
    assert "#" not in name and "\n" not in name, "TAP gives these a meaning"
    assert name not in [known for known, _, _ in _tests], f"{name}: used twice"

    def register(function):
        _tests.append((name, timeout, function))
        return function
    return register


def _expire(_signal, _frame):
    raise Deadline()


def _run(function, timeout):
    """Return (passed, directive, diagnostic)."""
    signal.signal(signal.SIGALRM, _expire)
    signal.alarm(timeout)
    try:
        function()
        return True, "", None
    except Skip as why:
        return True, f" # SKIP {why}", None
    except Deadline:
        return False, "", f"timed out after {timeout} s\n{traceback.format_exc()}"
    except Exception:  # pylint: disable=broad-except
        return False, "", traceback.format_exc()
    finally:
        signal.alarm(0)


def main():
    """Run what was registered, print it as TAP and exit."""
    only = os.environ.get("TAP_ONLY", "")
    chosen = [t for t in _tests if only in t[0]]
    failures = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, (name, timeout, function) in enumerate(chosen, 1):
        passed, directive, diagnostic = _run(function, timeout)
        if not passed:
            failures += 1
        print(f"{'ok' if passed else 'not ok'} {number} - {name}{directive}", flush=True)
        if diagnostic:
            diag(diagnostic)
    sys.exit(1 if failures else 0)
