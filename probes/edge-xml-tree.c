/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "probes/edge-xml-tree.h"
#include "probes/edge-xml.h"
#include "probes/xml-dl.h"

#define BLOCK_SIZE 16384

/* An element's attributes cost libxml2 the square of their number: minutes for 100,000 in one element (seen
 * with 2.9.14). */
#define ATTRIBUTES_MAX 256

struct EdgeXmlBlock {
        EdgeXmlBlock *next;
        size_t used, size;
        max_align_t data[];
};

typedef struct XmlReading {
        const XmlDl *dl;
        xmlParserCtxt *context;
        XmlWantedFn wanted;
        EdgeXmlBlock **memory;
        XmlElement *root, *at;
        unsigned depth, elements;
        bool unwanted;  /* the root is none of ours */
        Err err;        /* ours: the limits, memory, a document type */
        char said[160]; /* libxml2's first complaint */
        unsigned said_line;
} XmlReading;

void *edge_xml_alloc(EdgeXmlBlock **memory, size_t size)
{
        EdgeXmlBlock *b = *memory;
        size_t want = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

        if (!b || b->size - b->used < want) {
                size_t room = MAX(want, (size_t) BLOCK_SIZE);
                b = calloc(1, sizeof(*b) + room);
                if (!b)
                        return NULL;
                b->size = room;
                b->next = *memory;
                *memory = b;
        }
        void *p = (char *) b->data + b->used;
        b->used += want;
        return p;
}

void edge_xml_release(EdgeXmlBlock *memory)
{
        while (memory) {
                EdgeXmlBlock *next = memory->next;
                free(memory);
                memory = next;
        }
}

/* libxml2 calls nothing more after this, but for the rest of the start tag it is in. */
static void xml_stop(XmlReading *r)
{
        r->dl->StopParser(r->context);
}

static unsigned xml_line(const XmlReading *r)
{
        return r->context->input && r->context->input->line > 0 ? (unsigned) r->context->input->line : 1;
}

static void xml_no_memory(XmlReading *r)
{
        if (r->err.code == 0)
                (void) err_set(&r->err, -ENOMEM, "Out of memory for XML");
        xml_stop(r);
}

static const char *xml_name(XmlReading *r, const xmlChar *prefix, const xmlChar *name)
{
        size_t p = prefix ? strlen((const char *) prefix) + 1 : 0, n = strlen((const char *) name);
        char *s = edge_xml_alloc(r->memory, p + n + 1);
        if (!s)
                return NULL;
        if (p > 0) {
                memcpy(s, prefix, p - 1);
                s[p - 1] = ':';
        }
        memcpy(s + p, name, n);
        return s;
}

/* libxml2 gives five pointers an attribute: name, prefix, namespace, and where the value begins and ends. */
static bool xml_attributes(XmlReading *r, XmlElement *e, int n, const xmlChar **attributes)
{
        for (int i = n - 1; i >= 0; i--) {
                const xmlChar **a = attributes + (size_t) i * 5;
                size_t len = (size_t) (a[4] - a[3]);
                XmlAttribute *made = edge_xml_alloc(r->memory, sizeof(*made));
                char *value = edge_xml_alloc(r->memory, len + 1);
                if (!made || !value || !(made->name = xml_name(r, a[1], a[0])))
                        return false;
                memcpy(value, a[3], len);
                made->value = value;
                made->next = e->attributes;
                e->attributes = made;
        }
        return true;
}

static void xml_on_start(void *userdata, const xmlChar *name, const xmlChar *prefix,
                         const xmlChar *uri _unused_, int n_namespaces _unused_,
                         const xmlChar **namespaces _unused_, int n_attributes, int n_defaulted _unused_,
                         const xmlChar **attributes)
{
        XmlReading *r = userdata;

        if (r->err.code < 0 || r->unwanted)
                return;
        if (++r->depth > EDGE_XML_DEPTH_MAX || ++r->elements > EDGE_XML_ELEMENTS_MAX) {
                (void) err_set(&r->err, -E2BIG, "Line %u: more than %d elements %s", xml_line(r),
                               r->depth > EDGE_XML_DEPTH_MAX ? EDGE_XML_DEPTH_MAX : EDGE_XML_ELEMENTS_MAX,
                               r->depth > EDGE_XML_DEPTH_MAX ? "within each other" : "in one document");
                xml_stop(r);
                return;
        }
        XmlElement *e = edge_xml_alloc(r->memory, sizeof(*e));
        if (!e || !(e->name = xml_name(r, prefix, name)) || !xml_attributes(r, e, n_attributes, attributes)) {
                xml_no_memory(r);
                return;
        }
        e->line = xml_line(r);
        e->parent = r->at;
        if (!r->at)
                r->root = e;
        else if (r->at->last)
                r->at->last->next = e;
        else
                r->at->first = e;
        if (r->at)
                r->at->last = e;
        r->at = e;
        /* libxml2 calls this before it looks how the tag ends: "<Targ" at the end of a file is no element. */
        const xmlChar *end = r->context->input->cur;
        if (r->root == e && (*end == '>' || *end == '/') && !r->wanted(e->name)) {
                r->unwanted = true;
                xml_stop(r);
        }
}

static void xml_on_end(void *userdata, const xmlChar *name _unused_, const xmlChar *prefix _unused_,
                       const xmlChar *uri _unused_)
{
        XmlReading *r = userdata;
        if (r->err.code < 0 || r->unwanted || !r->at)
                return;
        r->at = r->at->parent;
        r->depth--;
}

static void xml_on_text(void *userdata, const xmlChar *text, int len)
{
        XmlReading *r = userdata;
        XmlElement *e = r->at;

        if (r->err.code < 0 || r->unwanted || !e || len <= 0)
                return;
        XmlPiece *piece = edge_xml_alloc(r->memory, sizeof(*piece) + (size_t) len);
        if (!piece) {
                xml_no_memory(r);
                return;
        }
        piece->len = (size_t) len;
        memcpy(piece->data, text, (size_t) len);
        e->text_len += (size_t) len;
        if (e->text_last)
                e->text_last->next = piece;
        else
                e->text = piece;
        e->text_last = piece;
}

/* Called at "<!DOCTYPE", before anything of it is read. */
static void xml_on_doctype(void *userdata, const xmlChar *name _unused_, const xmlChar *external _unused_,
                           const xmlChar *system _unused_)
{
        XmlReading *r = userdata;
        if (r->err.code == 0)
                (void) err_set(
                        &r->err, -EBADMSG,
                        "Line %u: a document type (<!DOCTYPE ...>) is not read: Edge's files have none, "
                        "and its entities could fetch or swell; take it out",
                        xml_line(r));
        xml_stop(r);
}

#if LIBXML_VERSION >= 21200
static void xml_on_error(void *userdata, const xmlError *e)
#else
static void xml_on_error(void *userdata, xmlError *e)
#endif
{
        XmlReading *r = userdata;
        if (*r->said || e->level < XML_ERR_ERROR || !e->message)
                return;
        (void) snprintf(r->said, sizeof(r->said), "%.*s", (int) strcspn(e->message, "\n"), e->message);
        r->said_line = e->line > 0 ? (unsigned) e->line : 1;
}

static int xml_result(const XmlReading *r, XmlElement **ret, Err *err)
{
        if (r->err.code < 0)
                return err_set(err, r->err.code, "%s", r->err.text);
        if (!r->unwanted && (!r->context->wellFormed || !r->root))
                return err_set(err, -EBADMSG, "Line %u: not well-formed XML: %s", MAX(r->said_line, 1U),
                               *r->said ? r->said : "no element");
        *ret = r->root;
        return 0;
}

static unsigned xml_lines_until(const char *xml, const char *end)
{
        unsigned line = 1;
        for (const char *p = xml; (p = memchr(p, '\n', (size_t) (end - p))) != NULL; p++)
                line++;
        return line;
}

/*
 * How much of it libxml2 may read: all, or up to the first '<' behind which too many attributes may stand.
 * Whatever libxml2 takes for an element, well-formed or not, its attributes stand between two '<'.
 */
static size_t xml_safe_length(const char *xml, size_t len)
{
        const char *end = xml + len, *open = memchr(xml, '<', len);
        while (open) {
                const char *next = memchr(open + 1, '<', (size_t) (end - open - 1));
                const char *stop = next ? next : end;
                unsigned n = 0;
                for (const char *p = open; (p = memchr(p, '=', (size_t) (stop - p))) != NULL;) {
                        p++;
                        while (p < stop && strchr(" \t\r\n", *p))
                                p++;
                        if (p < stop && (*p == '"' || *p == '\'') && ++n > ATTRIBUTES_MAX)
                                return (size_t) (open - xml);
                }
                open = next;
        }
        return len;
}

/* The value of `encoding` in <?xml ...?>. Return: its length; 0 if there is none. */
static size_t xml_declared(const char *xml, size_t len, const char **ret)
{
        const char *end = len > 5 && strncmp(xml, "<?xml", 5) == 0 ? memmem(xml, len, "?>", 2) : NULL;
        const char *p = end ? memmem(xml, (size_t) (end - xml), "encoding", 8) : NULL;
        if (!p)
                return 0;
        for (p += 8; p < end && strchr(" \t\r\n=", *p); p++)
                ;
        if (p == end || (*p != '"' && *p != '\''))
                return 0;
        const char *close = memchr(p + 1, *p, (size_t) (end - p - 1));
        *ret = p + 1;
        return close ? (size_t) (close - p - 1) : 0;
}

/* Only encodings in which an ASCII character is its own byte: xml_safe_length() relies on it. */
static int xml_check_encoding(const char *xml, size_t len, Err *err)
{
        static const char *const known[] = {
                "UTF-8", "UTF8", "US-ASCII", "ASCII", "ISO-8859-", "windows-125"
        };
        const char *name = NULL, *zero = memchr(xml, '\0', len);

        if (len >= 3 && memcmp(xml, "\xef\xbb\xbf", 3) == 0) { /* the mark of UTF-8 */
                xml += 3;
                len -= 3;
        }
        size_t n = xml_declared(xml, len, &name);
        if (zero || (len > 0 && !strchr("< \t\r\n", *xml)))
                return err_set(err, -EBADMSG, "Line %u: not XML in UTF-8: %s",
                               zero ? xml_lines_until(xml, zero) : 1,
                               zero ? "a byte that is 0 (UTF-16, or no text at all); save it as UTF-8"
                                    : "it does not begin with '<'");
        for (size_t i = 0; n > 0 && i < ELEMENTS(known); i++)
                if (strncasecmp(name, known[i], MIN(n, strlen(known[i]))) == 0 && n >= strlen(known[i]))
                        return 0;
        return n == 0 ? 0
                      : err_set(err, -EBADMSG, "Line 1: the encoding \"%.*s\" is not read; save it as UTF-8",
                                (int) MIN(n, (size_t) 40), name);
}

static int xml_too_many(const char *xml, size_t at, Err *err)
{
        return err_set(err, -E2BIG, "Line %u: more than %d attributes in one element",
                       xml_lines_until(xml, xml + at), ATTRIBUTES_MAX);
}

int xml_tree_read(const char *xml, size_t len, XmlWantedFn wanted, EdgeXmlBlock **memory, XmlElement **ret,
                  Err *err)
{
        XmlReading r = { .wanted = wanted, .memory = memory };

        if (len > EDGE_XML_MAX)
                return err_set(err, -E2BIG, "XML of %zu bytes, more than %d are not read", len, EDGE_XML_MAX);
        if (len == 0)
                return err_set(err, -EBADMSG, "Line 1: not XML: empty");
        int code = xml_check_encoding(xml, len, err);
        if (code >= 0)
                code = xml_dl_load("what describes targets", &r.dl, err);
        if (code < 0)
                return code;
        size_t safe = xml_safe_length(xml, len);
        r.context = safe > 0 ? r.dl->CreateMemoryParserCtxt(xml, (int) safe) : NULL;
        if (!r.context && safe > 0) {
                r.dl->ResetLastError();
                return err_set(err, -ENOMEM, "Out of memory for XML");
        }
        if (!r.context)
                return xml_too_many(xml, safe, err);
        /* The handlers are ours alone: no tree of libxml2's, no entity table, nothing printed. */
        (void) r.dl->CtxtUseOptions(r.context, XML_PARSE_NONET);
        *r.context->sax = (xmlSAXHandler){
                .initialized = XML_SAX2_MAGIC,
                .internalSubset = xml_on_doctype,
                .startElementNs = xml_on_start,
                .endElementNs = xml_on_end,
                .characters = xml_on_text,
                .ignorableWhitespace = xml_on_text,
                .cdataBlock = xml_on_text,
                .serror = xml_on_error,
        };
        r.context->userData = &r;
        (void) r.dl->ParseDocument(r.context);
        if (safe < len && !r.unwanted)
                code = xml_too_many(xml, safe, err);
        else
                code = xml_result(&r, ret, err);
        r.dl->FreeParserCtxt(r.context);
        /* Kept by libxml2 with a piece of the text, for nobody. */
        r.dl->ResetLastError();
        return code;
}

const char *xml_tree_text(const XmlElement *e, EdgeXmlBlock **memory)
{
        char *text = edge_xml_alloc(memory, e->text_len + 1);
        size_t at = 0;

        for (const XmlPiece *p = e->text; text && p; p = p->next) {
                memcpy(text + at, p->data, p->len);
                at += p->len;
        }
        return text;
}
