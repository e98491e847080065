# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for qemu-pr-client(8); needs nothing but bash.

# The words that may stand behind an option, or nothing where it takes none.
_qemu_pr_client_argument() {
	case $1 in
	-u | --socket)
		compgen -f -- "$2"
		;;
	-d | --device)
		compgen -f -- "${2:-/dev/}"
		;;
	-T | --prout-type)
		compgen -W '1 3 5 6 7 8' -- "$2"
		;;
	-X | --transport-id)
		compgen -W 'sas, fcp, srp, sbp, spi, sop, iqn. file= -' -- "$2"
		;;
	-K | --param-rk | -S | --param-sark | -Q | --relative-target-port | \
		-l | --alloc-length | -m | --maxlen | -t | --timeout)
		;;
	*)
		return 1
		;;
	esac
	return 0
}

_qemu_pr_client() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	local options='--in --read-keys --read-reservation
		--report-capabilities --read-full-status --alloc-length=
		--maxlen= --out --register --register-ignore --reserve
		--release --clear --preempt --preempt-abort --register-move
		--replace-lost --param-rk= --param-sark= --prout-type=
		--transport-id= --relative-target-port= --param-aptpl
		--param-alltgpt --unreg --device= --readonly --no-inquiry
		--socket= --timeout= --ping --hex --json --verbose --help
		--version'
	local words

	# "=" is a word of its own to bash: --option = argument.
	if [[ $word == = ]]; then
		word=
	elif [[ $before == = ]] && ((COMP_CWORD >= 2)); then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi

	COMPREPLY=()
	if words=$(_qemu_pr_client_argument "$before" "$word"); then
		:
	elif [[ $word == -* ]]; then
		words=$(compgen -W "$options" -- "$word")
		[[ $words == *= ]] && compopt -o nospace
	else
		words=$(compgen -f -- "${word:-/dev/}")
	fi
	[[ $words ]] && mapfile -t COMPREPLY <<<"$words"
	# Folders may be gone into, and an ID goes on behind its comma.
	compopt -o filenames 2>/dev/null
	[[ ${COMPREPLY[0]} == *, ]] && compopt -o nospace 2>/dev/null
	return 0
}

complete -F _qemu_pr_client qemu-pr-client
