# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# TAP for tests in shell: a folder that is removed at the end, check(), and the
# exit status. To be sourced; the test says its plan itself, and ends with
# `exit $failed`.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' TERM INT
number=0
failed=0

# check NAME COMMAND...: passes if the command succeeds; what it says is shown
# if not.
check() {
	name=$1
	shift
	number=$((number + 1))
	if "$@" >"$work/out" 2>&1; then
		echo "ok $number - $name"
	else
		# For who has sourced this.
		# shellcheck disable=SC2034
		failed=1
		echo "not ok $number - $name"
		sed 's/^/# /' "$work/out"
	fi
}
