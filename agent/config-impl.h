/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the configuration share; for these files only: config-keys.c (which keys there are),
 * config-field.c (text of one value, and back), config-read.c (files to assignments), config.c (assignments
 * to values that fit together) and config-print.c.
 */

#include "agent/config.h"

#define CONFIG_NAME_LEN          32 /* of a component: it is part of unit names, file names and bus paths */
#define CONFIG_COMPONENT_SECTION "component " /* and its name: what its section is called */
#define CONFIG_LIMIT_PREFIX      "limit_"     /* and the name of a phase: a key of a component */

/*
 * One assignment as it was read; a key set again later in the order of the files wins. An entry without key
 * is the head of a section, kept for the place of errors about the section as a whole.
 */
typedef struct ConfigOrigin {
        char *section;
        char *key;
        char *value;
        char *file;
        unsigned line;
} ConfigOrigin;

/* --- config-keys.c --- */

typedef enum ConfigKeyType {
        TYPE_TEXT,
        TYPE_NAMES, /* component names */
        TYPE_WORDS,
        TYPE_UNITS,
        TYPE_PATH,
        TYPE_PATHS,
        TYPE_PATTERNS, /* paths, with wildcards in the last part */
        TYPE_CERTIFICATES,
        TYPE_ADDRESSES, /* and the word auto */
        TYPE_URL,
        TYPE_COMMAND, /* "", "auto" or a command line */
        TYPE_PORT,    /* one, or auto */
        TYPE_PORTS,
        TYPE_USEC,
        TYPE_COUNT,
        TYPE_CHOICE, /* an int: the index in `choices` */
        TYPE_SWITCH, /* a bool: `choices` has the words for false and for true */
} ConfigKeyType;

typedef struct ConfigKey {
        const char *name;
        ConfigKeyType type;
        bool may_be_empty;
        bool may_be_auto;
        bool may_have_user; /* TYPE_URL: it is not shown then */
        size_t offset;
        const char *value[KIND_COUNT]; /* default; [component]: by kind; elsewhere the first */
        const char *what;
        const char *const *choices; /* NULL-terminated */
        bool (*valid)(
                const char *text); /* TYPE_TEXT: NULL, or whether it is one; then `accepts` says what is */
        const char *accepts;
        Usec min, max; /* durations and counts */
} ConfigKey;

/* A section that is there once; its fields are in Config. */
typedef struct ConfigSection {
        const char *name;
        const ConfigKey *keys;
        size_t n_keys;
} ConfigSection;

extern const ConfigSection config_sections[];
extern const size_t config_n_sections;

/* The keys of each [component NAME], without its limits; their fields are in Component. */
extern const ConfigKey config_component_keys[];
extern const size_t config_n_component_keys;

/* config_has_limit() - may there be a key limit_PHASE? */
bool config_has_limit(Phase phase);

/* config_limit_key() - that key, without name, default and meaning. @phase: one that may have it. */
ConfigKey config_limit_key(Phase phase);

/* config_choice() - which of @choices (NULL-terminated) @name is. Return: -EINVAL: none, or @name is NULL. */
int config_choice(const char *const *choices, const char *name);

/* config_kind_from_name() - KIND_INVALID for NULL or unknown. */
ComponentKind config_kind_from_name(const char *name);

/* --- config-field.c: @base is the Config or the Component that @k is a key of --- */

/* config_name_valid() - may a component be called so? */
bool config_name_valid(const char *s);

/*
 * config_field_set() - sets one field; the old value is given back only when the new one is good.
 * Return: 0; -EINVAL (@err says what is wrong with @text, not where it stands nor what is accepted); -ENOMEM.
 */
int config_field_set(const ConfigKey *k, void *base, const char *text, Err *err) _must_check_;

/* config_field_accepted() - what may stand in the file. "": nothing to say. Return: @buf. */
const char *config_field_accepted(const ConfigKey *k, char *buf, size_t size);

/* config_field_format() - the value as it could be written in the file. @ret: to be freed. Return: 0;
 * -ENOMEM. */
int config_field_format(const ConfigKey *k, const void *base, char **ret) _must_check_;

/* config_field_free() - may never have been set. */
void config_field_free(const ConfigKey *k, void *base);

/* --- config-read.c --- */

/*
 * config_read_file(), config_read_dir() - what is assigned in @file, in the *.conf of @dir in alphabetical
 * order, behind what is there already. Nothing is said of names and values yet. Either may be absent.
 * Return: 0; -EINVAL (the sentence says file and line); -ENOMEM; other negative errno (unreadable).
 */
int config_read_file(Config *c, const char *file, Err *err) _must_check_;
int config_read_dir(Config *c, const char *dir, Err *err) _must_check_;

/* config_origin_find() - the assignment in force; NULL: at its default. @key NULL: the first head of the
 * section. Owned by @c. */
const ConfigOrigin *config_origin_find(const Config *c, const char *section, const char *key);

/* config_origin_error() - file, line, section, key, the value found, @problem. @accept: what would be right;
 * "": not said. Return: -EINVAL. */
int config_origin_error(const ConfigOrigin *o, Err *err, const char *problem, const char *accept);
