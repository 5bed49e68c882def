/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/names.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KEPT_MAX   64
#define GROUPS_MAX 256
#define GROUP_USEC USEC_PER_SEC
#define LEFT_MAX   8 /* children that were killed and are not gone yet */

typedef struct Kept {
        uid_t uid;
        bool local;  /* the name is from the file: the child was not asked */
        bool silent; /* it was, and did not answer in time */
        NamesAnswer answer;
        Usec until;
} Kept;

struct Names {
        char *group, *passwd, *groups;
        NamesAskFn ask;
        Kept kept[KEPT_MAX];
        size_t n;
        bool in_file; /* the group is; read at most once in GROUP_USEC, however often somebody calls */
        gid_t number; /* ... its number */
        Usec number_until;
        Usec quiet_until; /* nobody is asked before */
        pid_t left[LEFT_MAX];
        size_t n_left;
};

/* ---- the files of the machine ---- */

static bool passwd_user(const char *path, uid_t uid, char *buf, size_t size)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        const struct passwd *pw;
        while (f && (pw = fgetpwent(f)))
                /* "+" and "-" begin what is to be looked up elsewhere. */
                if (pw->pw_uid == uid && !strchr("+-", pw->pw_name[0])) {
                        (void) snprintf(buf, size, "%s", pw->pw_name);
                        return true;
                }
        return false;
}

static bool file_group(const char *path, const char *name, gid_t *ret)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        const struct group *gr;
        while (f && (gr = fgetgrent(f)))
                if (strcmp(gr->gr_name, name) == 0) {
                        *ret = gr->gr_gid;
                        return true;
                }
        return false;
}

/* ---- the user database ---- */

static void ask_libc(uid_t uid, const char *group, NamesAnswer *ret)
{
        gid_t groups[GROUPS_MAX];
        int n = GROUPS_MAX;
        const struct group *gr = getgrnam(group);
        ret->has_group = gr;
        ret->group = gr ? gr->gr_gid : 0;
        const struct passwd *pw = getpwuid(uid);
        if (!pw)
                return;
        (void) snprintf(ret->user, sizeof(ret->user), "%s", pw->pw_name);
        if (!ret->has_group || getgrouplist(ret->user, pw->pw_gid, groups, &n) < 0)
                return;
        for (int i = 0; i < n; i++)
                ret->member = ret->member || groups[i] == ret->group;
}

static void names_reap(Names *names)
{
        size_t kept = 0;
        for (size_t i = 0; i < names->n_left; i++)
                if (waitpid(names->left[i], NULL, WNOHANG) == 0)
                        names->left[kept++] = names->left[i];
        names->n_left = kept;
}

/*
 * Of all the parent has open only @fd stays: the lock of the state directory and the socket of the table must
 * not outlive it in one of us that nobody can kill. The standard three stay: a library that writes to one of
 * them must not find a name server's socket there.
 */
static void child_close(int fd)
{
        struct rlimit limit;
#ifdef SYS_close_range
        if ((fd <= STDERR_FILENO + 1 || syscall(SYS_close_range, STDERR_FILENO + 1, fd - 1, 0) == 0) &&
            syscall(SYS_close_range, fd + 1, ~0U, 0) == 0)
                return;
#endif
        /* Before Linux 5.9, or filtered. */
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        for (int i = STDERR_FILENO + 1; (rlim_t) i < limit.rlim_cur; i++)
                if (i != fd)
                        (void) close(i);
}

/* In the child. The parent's signals are blocked. */
static void child_answer(const Names *names, uid_t uid, int fd)
{
        NamesAnswer answer = { 0 };
        sigset_t none;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        child_close(fd);
        names->ask(uid, names->group, &answer);
        /* Less than PIPE_BUF: all of it or nothing. */
        _exit(write(fd, &answer, sizeof(answer)) == (ssize_t) sizeof(answer) ? 0 : 1);
}

static bool wait_for_answer(int fd, NamesAnswer *ret)
{
        Usec end = time_now() + NAMES_USEC;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        NamesAnswer answer;
        for (Usec now = time_now(); now < end; now = time_now()) {
                int n = poll(&p, 1, (int) ((end - now) / USEC_PER_MSEC) + 1);
                if (n < 0 && errno != EINTR)
                        return false;
                if (n > 0 && read(fd, &answer, sizeof(answer)) == (ssize_t) sizeof(answer)) {
                        *ret = answer;
                        return true;
                }
                if (n > 0)
                        return false;
        }
        return false;
}

/* Return: false when no answer came in time. */
static bool names_ask(Names *names, uid_t uid, NamesAnswer *ret)
{
        int pipes[2];
        names_reap(names);
        if (time_now() < names->quiet_until || names->n_left == LEFT_MAX || pipe2(pipes, O_CLOEXEC) < 0)
                return false;
        _cleanup_(closep) int from = pipes[0], to = pipes[1];
        pid_t pid = fork();
        if (pid == 0)
                child_answer(names, uid, to);
        if (pid < 0)
                return false;
        closep(&to);
        to = -1;
        bool answered = wait_for_answer(from, ret);
        (void) kill(pid, SIGKILL);
        /* One that waits for a file server cannot even be killed at once: it is not waited for. */
        names->left[names->n_left++] = pid;
        names_reap(names);
        if (!answered)
                names->quiet_until = time_add(time_now(), NAMES_PAUSE_USEC);
        ret->user[sizeof(ret->user) - 1] = '\0';
        return answered;
}

/* ---- what is kept ---- */

static Kept *kept_slot(Names *names, uid_t uid)
{
        Kept *oldest = &names->kept[0];
        for (size_t i = 0; i < names->n; i++) {
                if (names->kept[i].uid == uid)
                        return &names->kept[i];
                if (names->kept[i].until < oldest->until)
                        oldest = &names->kept[i];
        }
        Kept *k = names->n < KEPT_MAX ? &names->kept[names->n++] : oldest;
        *k = (Kept){ .uid = uid };
        return k;
}

/* @whole: what the user database says is wanted, not the name alone. */
static const Kept *kept_get(Names *names, uid_t uid, bool whole)
{
        Kept *k = kept_slot(names, uid);
        Usec now = time_now();
        if (now < k->until && !(whole && k->local))
                return k;
        *k = (Kept){ .uid = uid, .until = time_add(now, NAMES_KEPT_USEC) };
        if (!whole && passwd_user(names->passwd, uid, k->answer.user, sizeof(k->answer.user))) {
                k->local = true;
                return k;
        }
        if (names_ask(names, uid, &k->answer))
                return k;
        k->silent = true;
        k->answer = (NamesAnswer){ 0 };
        k->until = time_add(time_now(), NAMES_PAUSE_USEC);
        (void) passwd_user(names->passwd, uid, k->answer.user, sizeof(k->answer.user));
        return k;
}

const char *names_user(Names *names, uid_t uid)
{
        const Kept *k = kept_get(names, uid, false);
        return *k->answer.user ? k->answer.user : "?";
}

/* Return: false: the files do not know it. */
static bool group_number(Names *names, gid_t *ret)
{
        Usec now = time_now();
        if (now >= names->number_until) {
                names->in_file = file_group(names->groups, names->group, &names->number);
                names->number_until = time_add(now, GROUP_USEC);
        }
        *ret = names->number;
        return names->in_file;
}

bool names_member(Names *names, uid_t uid, const gid_t *gids, size_t n_gids)
{
        gid_t group;
        if (!gids)
                return kept_get(names, uid, true)->answer.member;
        if (!group_number(names, &group)) {
                const Kept *k = kept_get(names, uid, true);
                if (!k->answer.has_group)
                        return false;
                group = k->answer.group;
        }
        for (size_t i = 0; i < n_gids; i++)
                if (gids[i] == group)
                        return true;
        return false;
}

int names_new(Names **ret, const char *group, const char *passwd, const char *groups, NamesAskFn ask)
{
        _cleanup_(names_freep) Names *names = calloc(1, sizeof(*names));
        if (!names)
                return -ENOMEM;
        names->ask = ask ? ask : ask_libc;
        names->group = strdup(group);
        names->passwd = strdup(passwd ? passwd : "/etc/passwd");
        names->groups = strdup(groups ? groups : "/etc/group");
        if (!names->group || !names->passwd || !names->groups)
                return -ENOMEM;
        *ret = TAKE_PTR(names);
        return 0;
}

Names *names_free(Names *names)
{
        if (!names)
                return NULL;
        names_reap(names);
        free(names->group);
        free(names->passwd);
        free(names->groups);
        free(names);
        return NULL;
}
