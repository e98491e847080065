/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a program says in its own file which version it is: a string that begins
 * with "@(#)", as what(1) looks for. A running helper is asked nothing that
 * QEMU's would not know, and nobody has to run a program to learn this.
 */
#ifndef VERSION_MARK_H
#define VERSION_MARK_H

#define VERSION_MARK "@(#)"
/* The version follows, in printable ASCII without blanks, then a NUL. */
#define VERSION_MARK_PREFIX VERSION_MARK "qemu-pr-helper "

#endif
