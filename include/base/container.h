/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a member to the struct that it is embedded in.
 */
#ifndef CONTAINER_H
#define CONTAINER_H

#include <stddef.h>

/* `pointer` points to the `member` of a Type; not NULL. */
#define container_of(pointer, Type, member)                                \
	((Type *)(void *)((char *)(1 ? (pointer) : &((Type *)0)->member) - \
			  offsetof(Type, member)))

#endif
