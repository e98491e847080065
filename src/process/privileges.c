/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcap-ng does the dropping; what is left is then compared with what was
 * meant, because a helper that holds too much must not serve.
 */
#include "process/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* CAPNG_SELECT_ALL, which libcap-ng before 0.8 has no name for: it does not
 * know of the ambient set, and ignores its bit. */
#define ALL_SETS ((capng_select_t)(CAPNG_SELECT_BOTH | 64))

static bool wanted(const Privileges *privileges, unsigned int capability)
{
	return privileges->capabilities >> capability & 1;
}

/* To the running kernel, which may know more of them than the one whose headers
 * we were built with. */
static bool capability_exists(unsigned int capability)
{
	return prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
}

/* As manual pages and units write it: CAP_SYS_RAWIO. */
static char *name_of(unsigned int capability)
{
	const char *name = capng_capability_to_name(capability);
	g_autofree char *upper = NULL;

	if (!name)
		return g_strdup_printf("capability %u", capability);
	upper = g_ascii_strup(name, -1);
	return g_strconcat("CAP_", upper, NULL);
}

/* Asked of the kernel, as libcap-ng knows of ambient ones since 0.8 only. */
static bool is_ambient(unsigned int capability)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) ==
	       1;
}

static bool have(unsigned int capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* uid 0 without it is a container's. Runtimes name it without CAP_. */
static void refuse_without(const char *name, GError **error)
{
	const char *bare =
		g_str_has_prefix(name, "CAP_") ? name + strlen("CAP_") : name;

	if (geteuid() == 0)
		error_set(error,
			  "needs %s, which root lacks here, as in a container; "
			  "add it: --cap-add %s (docker, podman), "
			  "securityContext.capabilities.add: [\"%s\"] "
			  "(Kubernetes), or CapabilityBoundingSet=%s (systemd)",
			  name, bare, bare, name);
	else
		error_set(error,
			  "needs %s; start it as root, or as a service with "
			  "AmbientCapabilities=%s",
			  name, name);
}

bool privileges_suffice(uint64_t capabilities, GError **error)
{
	capng_clear(ALL_SETS);
	if (capng_get_caps_process() < 0) {
		error_set(error, "cannot read its capabilities");
		return false;
	}
	for (unsigned int i = 0; capability_exists(i); i++) {
		g_autofree char *name = NULL;

		if (!(capabilities >> i & 1) ||
		    capng_have_capability(CAPNG_PERMITTED, i))
			continue;
		name = name_of(i);
		refuse_without(name, error);
		return false;
	}
	return true;
}

static void select_wanted(const Privileges *privileges)
{
	capng_clear(ALL_SETS);
	for (unsigned int i = 0; capability_exists(i); i++)
		if (wanted(privileges, i))
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
}

static bool is_identity(const Privileges *privileges)
{
	uid_t ruid, euid, suid, user = privileges->user;
	gid_t rgid, egid, sgid, group = privileges->group;

	return getresuid(&ruid, &euid, &suid) == 0 &&
	       getresgid(&rgid, &egid, &sgid) == 0 && ruid == euid &&
	       euid == suid && rgid == egid && egid == sgid &&
	       (user == (uid_t)-1 || user == euid) &&
	       (group == (gid_t)-1 || group == egid);
}

static bool drop(const Privileges *privileges)
{
	bool may_set_groups = have(CAP_SETGID);
	bool may_clear_bounding = have(CAP_SETPCAP);

	if (may_set_groups && setgroups(0, NULL) < 0)
		return false;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	select_wanted(privileges);
	if (!is_identity(privileges))
		return capng_change_id((int)privileges->user,
				       (int)privileges->group,
				       may_clear_bounding ? CAPNG_CLEAR_BOUNDING
							  : CAPNG_NO_FLAG) == 0;
	return capng_apply(may_clear_bounding ? ALL_SETS : CAPNG_SELECT_CAPS) ==
	       0;
}

static bool verify_capability(const Privileges *privileges, unsigned int i,
			      bool bounding_cleared, GError **error)
{
	bool keep = wanted(privileges, i);
	g_autofree char *name = NULL;
	const char *set = NULL;

	if (capng_have_capability(CAPNG_PERMITTED, i) != keep)
		set = "permitted";
	else if (capng_have_capability(CAPNG_EFFECTIVE, i) != keep)
		set = "effective";
	else if (capng_have_capability(CAPNG_INHERITABLE, i))
		set = "inheritable";
	else if (is_ambient(i))
		set = "ambient";
	else if (capng_have_capability(CAPNG_BOUNDING_SET, i) &&
		 (bounding_cleared || !keep))
		set = "bounding";
	if (!set)
		return true;
	name = name_of(i);
	error_set(error,
		  "will not serve with %s wrong in its %s set; as a service, "
		  "set CapabilityBoundingSet= and AmbientCapabilities= to what "
		  "the manual page says",
		  name, set);
	return false;
}

static bool verify_capabilities(const Privileges *privileges,
				bool bounding_cleared, GError **error)
{
	capng_clear(ALL_SETS);
	if (capng_get_caps_process() < 0) {
		error_set(error, "cannot read back its capabilities");
		return false;
	}
	for (unsigned int i = 0; capability_exists(i); i++)
		if (!verify_capability(privileges, i, bounding_cleared, error))
			return false;
	return true;
}

/* A service manager lists the process's own group again; that adds nothing. */
static bool verify_groups(GError **error)
{
	gid_t groups[2] = { 0 };
	int count = getgroups(G_N_ELEMENTS(groups), groups);

	if (count == 0 || (count == 1 && groups[0] == getegid()))
		return true;
	error_set(error, "will not serve with supplementary groups; start it "
			 "as root, or as a user that is in its own group only");
	return false;
}

static bool verify_identity(const Privileges *privileges, GError **error)
{
	if (is_identity(privileges))
		return true;
	error_set(error, "could not take on the user and group it was told to");
	return false;
}

/* Another thread would have kept everything. Threads are subdirectories, each
 * a link of its parent beyond "." and the parent's own. */
static bool verify_single_thread(GError **error)
{
	struct stat status;

	if (stat("/proc/self/task", &status) < 0 || status.st_nlink == 3)
		return true;
	error_set(error, "will not serve: a thread exists that has kept its "
			 "privileges");
	return false;
}

static bool verify_process(const Privileges *privileges, GError **error)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		error_set(error, "could not set no_new_privs");
		return false;
	}
	return verify_identity(privileges, error) &&
	       verify_single_thread(error);
}

static bool verify_holdings(const Privileges *privileges, bool bounding_cleared,
			    GError **error)
{
	return verify_capabilities(privileges, bounding_cleared, error) &&
	       verify_groups(error);
}

bool privileges_drop(const Privileges *privileges, GError **error)
{
	bool may_clear_bounding;

	if (!privileges_suffice(privileges->capabilities, error))
		return false;
	may_clear_bounding = have(CAP_SETPCAP);
	if (!drop(privileges)) {
		error_set(error,
			  "cannot drop privileges or change to the user and "
			  "group; that needs CAP_SETUID, CAP_SETGID and "
			  "CAP_SETPCAP, as root has; a container gets them "
			  "by --cap-add");
		return false;
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!verify_process(privileges, error))
		return false;
	/* Who keeps nothing has no more than the user who started it. */
	return privileges->capabilities == 0 ||
	       verify_holdings(privileges, may_clear_bounding, error);
}

bool privileges_drop_all(GError **error)
{
	const Privileges none = { .user = (uid_t)-1, .group = (gid_t)-1 };

	/* Its bounding set must be empty as well, so that even a program that
	 * it started would be uid 0 in name only. */
	return privileges_drop(&none, error) &&
	       verify_holdings(&none, true, error);
}
