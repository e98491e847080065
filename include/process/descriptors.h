/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process's descriptor table: sane at the start, large enough later.
 */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

/* Fills standard input, output and error where the caller left them closed,
 * so that no socket takes their place. */
void descriptors_fill_standard(void);

/* Raises the soft limit to the hard one. Returns the number of descriptors
 * that can be open then. */
unsigned int descriptors_raise_limit(void);

/* How many are open now; 0 where /proc does not tell. */
unsigned int descriptors_open(void);

#endif
