/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The elements of a small XML document, bounded, with their lines: what edge-xml.c reads from. Only
 * edge-xml.c includes this.
 */

#include <stddef.h>

#include "base/err.h"

/* Memory that is given back all at once. */
typedef struct EdgeXmlBlock EdgeXmlBlock;

/* edge_xml_alloc() - zeroed, aligned for pointers. Return: NULL when there is none. */
void *edge_xml_alloc(EdgeXmlBlock **memory, size_t size);
void edge_xml_release(EdgeXmlBlock *memory);

typedef struct XmlAttribute {
        const char *name; /* with its prefix: "x:name" */
        const char *value;
        struct XmlAttribute *next;
} XmlAttribute;

typedef struct XmlPiece {
        struct XmlPiece *next;
        size_t len;
        char data[];
} XmlPiece;

typedef struct XmlElement {
        const char *name; /* with its prefix */
        unsigned line;
        XmlAttribute *attributes;
        struct XmlElement *parent, *first, *last, *next;
        XmlPiece *text, *text_last; /* what stands directly in it, in pieces */
        size_t text_len;
} XmlElement;

/* Is an element of this name worth reading? The root is asked; false ends the reading there, with success. */
typedef bool (*XmlWantedFn)(const char *root);

/*
 * xml_tree_read() - see edge_xml_read() for the limits and errors. @memory: takes what is made, on failure
 * too.
 * @ret: the root; written only on success.
 */
int xml_tree_read(const char *xml, size_t len, XmlWantedFn wanted, EdgeXmlBlock **memory, XmlElement **ret,
                  Err *err) _must_check_;

/* xml_tree_text() - what stands directly in @e, joined. Return: NULL without memory. */
const char *xml_tree_text(const XmlElement *e, EdgeXmlBlock **memory);
